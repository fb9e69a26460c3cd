"""Processes that are killed in the middle of a signature: at most one signature comes of an approval, the ledger says
what is known and no more, and the document is still there to be signed again."""

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from scripts import instance as instance_module
from tests.flows import faults
from tests.flows.chain import Chain, Signer, eventually, spied
from tests.flows.verdicts import read_root, verify
from tests.support.instance import start_instance
from tests.support.pdfs import make_pdf
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-kills")]

LONG_AGO = "2020-01-01 00:00:00"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("kills")
    often = {"JOB_SWEEP_SECONDS": "1", "LEDGER_SWEEP_SECONDS": "1"}
    settings = spied(folder, TEST_FAULTS_DIR=str(folder / "faults"), **often)
    (folder / "faults").mkdir()
    with start_instance(folder / "var", settings=settings) as instance:
        yield Chain(instance, folder)


@pytest.fixture(scope="module")
def alice(chain: Chain) -> Iterator[Signer]:
    with chain.signer("Alice", "ec-p256") as signer:
        yield signer


@pytest.fixture
def armed(chain: Chain) -> Path:
    return chain.folder / "faults"


def answers(chain: Chain) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{chain.base_url}/healthz", trust_env=False, timeout=60).status_code == 200
    return False


# What the ledger says right after the kill and after the sweep, and how many signatures were made before the kill.
ENDS = [
    (faults.BEFORE_RESERVING, "authorised", "authorised", 0),
    (faults.AFTER_RESERVING, "reserved", "authorised", 0),
    (faults.AFTER_INTENT, "intended", "unknown", 0),
    (faults.AFTER_SIGNING, "intended", "unknown", 1),
    (faults.AFTER_OUTCOME, "signed", "signed", 1),
]


@pytest.mark.parametrize(("point", "left", "swept", "made"), ENDS, ids=[end[0] for end in ENDS])
def test_a_killed_signing_service_signs_at_most_once(
    chain: Chain, alice: Signer, armed: Path, point: str, left: str, swept: str, made: int
) -> None:
    lease = digest_of(secrets.token_hex(8))
    token = alice.ask(lease)
    before = chain.signatures_made()
    faults.arm(armed, point)
    with pytest.raises(httpx.TransportError):
        alice.sign(token, lease)
    eventually(lambda: answers(chain))
    assert not faults.is_armed(armed, point)
    assert chain.ledger([lease]) == [left]
    assert chain.signatures_made() == before + made
    if left != "authorised":
        assert alice.sign(token, lease).status_code == 400

    for moment in ("reserved", "intended"):
        sql = f"UPDATE rssp_activateddigest SET {moment} = ? WHERE digest = ? AND {moment} IS NOT NULL"  # noqa: S608  (ours)
        chain.rows("rssp", sql, LONG_AGO, lease.hex())
    eventually(lambda: chain.ledger([lease]) == [swept])
    answer = alice.sign(token, lease)
    assert answer.status_code == (200 if swept == "authorised" else 400), answer.text
    assert chain.signatures_made() == before + (1 if swept == "authorised" else made)
    results = chain.rows("rssp", "SELECT result FROM rssp_auditevent WHERE digest = ?", lease.hex())
    assert results == [("outcome unknown",) if swept == "unknown" else ("signed",)]


def try_to_approve(signer: Signer, original: bytes) -> str:
    """The document's path. The page that follows the approval may be lost with the process that was to show it."""
    walker = signer.walker
    path = walker.upload(original)
    walker.prepare(path, credential_id=signer.credential)
    page = walker.begin_approval(path)
    with suppress(httpx.TransportError):
        walker.approve(page)
    return path


def end_of(chain: Chain, signer: Signer, path: str) -> str:
    def ended() -> str:
        with suppress(httpx.TransportError):
            state = signer.walker.state(path)
            return state if state in {"signed", "failed"} else ""
        return ""

    eventually(lambda: answers(chain))
    state: str = eventually(ended)
    return state


def job(chain: Chain) -> tuple[str, str]:
    """State and error of the newest job."""
    row = chain.rows("gateway", "SELECT state, error_code FROM gateway_job ORDER BY created_at DESC LIMIT 1")[0]
    return row[0], row[1]


def failure(chain: Chain) -> str:
    """What became of the newest document, as its signer is told."""
    sql = "SELECT error_code FROM signapp_document WHERE state = 'failed' ORDER BY created DESC LIMIT 1"
    found: str = chain.rows("signapp", sql)[0][0]
    return found


def sign_again(chain: Chain, signer: Signer, path: str, original: bytes, folder: Path) -> None:
    """The document is as it was uploaded, and a new approval signs it."""
    assert signer.walker.http.get(f"{chain.base_url}{path}/file").content == original
    signer.walker.prepare(path, credential_id=signer.credential)
    signer.walker.approve(signer.walker.begin_approval(path))
    assert signer.walker.wait(path) == "signed"
    verify(signer.walker.download(path), original=original, root=read_root(chain.base_url), folder=folder)


@pytest.mark.parametrize("point", faults.POINTS)
def test_the_document_survives_a_killed_signing_service(
    chain: Chain, alice: Signer, armed: Path, tmp_path: Path, point: str
) -> None:
    original = make_pdf(text=point)
    before = chain.signatures_made()
    faults.arm(armed, point)
    path = try_to_approve(alice, original)
    assert end_of(chain, alice, path) == "failed"
    assert not faults.is_armed(armed, point)
    # Whatever the ledger knows, the gateway lost the answer and says so.
    assert failure(chain) == "outcome_unknown"
    made = 1 if point in {faults.AFTER_SIGNING, faults.AFTER_OUTCOME} else 0
    assert chain.signatures_made() == before + made
    sign_again(chain, alice, path, original, tmp_path)
    assert chain.signatures_made() == before + made + 1


# --- The gateway's worker -----------------------------------------------------------------------------------------


def kill_worker(chain: Chain) -> None:
    worker = chain.instance.processes["worker"]
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def start_worker(chain: Chain) -> None:
    chain.instance._spawn("worker", instance_module._WORKER, PROCESS="worker")


def test_what_the_authority_signs_meanwhile_meets_no_fault(chain: Chain, armed: Path) -> None:
    faults.arm(armed, faults.AFTER_SIGNING)
    query = ["openssl", "ts", "-query", "-sha256", "-digest", "00" * 32, "-cert"]
    asked = subprocess.run(query, capture_output=True, check=True).stdout
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        answer = httpx.post(f"{chain.base_url}/pki/tsa", content=asked, headers=headers, trust_env=False, timeout=60)
        assert (answer.status_code, faults.is_armed(armed, faults.AFTER_SIGNING)) == (200, True)
    finally:
        (armed / faults.AFTER_SIGNING).unlink(missing_ok=True)
    assert len(answer.content) > 1000  # a token, and no refusal


@pytest.mark.parametrize("point", [faults.BEFORE_RESERVING, faults.AFTER_SIGNING])
def test_a_worker_killed_while_signing_leaves_an_unknown_outcome_and_signs_no_second_time(
    chain: Chain, alice: Signer, armed: Path, tmp_path: Path, point: str
) -> None:
    original = make_pdf(text=f"worker, {point}")
    before = chain.signatures_made()
    faults.arm(armed, point, "wait")
    path = try_to_approve(alice, original)
    eventually(lambda: not faults.is_armed(armed, point))
    kill_worker(chain)
    faults.let_go(armed)
    eventually(lambda: chain.signatures_made() == before + 1)
    assert job(chain) == ("signing", "")
    start_worker(chain)
    chain.rows("gateway", "UPDATE gateway_job SET lease_until = ? WHERE state = 'signing'", LONG_AGO)
    assert end_of(chain, alice, path) == "failed"
    assert failure(chain) == "outcome_unknown"
    assert chain.signatures_made() == before + 1
    sign_again(chain, alice, path, original, tmp_path)
    assert chain.signatures_made() == before + 2


def test_what_is_approved_while_no_worker_lives_is_signed_when_one_does(
    chain: Chain, alice: Signer, tmp_path: Path
) -> None:
    original = make_pdf(text="no worker")
    before = chain.signatures_made()
    kill_worker(chain)
    path = try_to_approve(alice, original)
    assert job(chain) == ("approved", "")
    assert alice.walker.state(path) == "signing"
    start_worker(chain)
    assert end_of(chain, alice, path) == "signed"
    verify(alice.walker.download(path), original=original, root=read_root(chain.base_url), folder=tmp_path)
    assert chain.signatures_made() == before + 1
