"""The token is lost under a running instance and comes back: nothing is spent meanwhile, and nothing is restarted."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.flows.chain import Chain, Signer, eventually
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]


@contextmanager
def lost_token(chain: Chain) -> Iterator[None]:
    folder = chain.instance.var_dir / "softhsm"
    (folder / "tokens").rename(folder / "away")
    try:
        yield
    finally:
        (folder / "away").rename(folder / "tokens")


def test_sign_hash_answers_503_and_the_same_approval_signs_afterwards(chain: Chain, alice: Signer) -> None:
    lease = digest_of(secrets.token_hex(8))
    token = alice.ask(lease)
    before, listed = chain.sign_calls(), alice.client.list_credentials(alice.service_token)
    assert set(alice.credentials) <= set(listed)
    with lost_token(chain):
        for _ in range(3):
            answer = alice.sign(token, lease)
            assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert alice.client.call("info", {}, None).status_code == 200
        assert alice.client.list_credentials(alice.service_token) == listed
        # The restore epoch is the token's to tell: without it nothing is entered, and so nothing is spent.
        assert chain.ledger([lease]) == []
    assert chain.sign_calls() == before
    answer = eventually(lambda: _signed(alice, token, lease))
    assert len(answer.json()["signatures"]) == 1
    assert chain.sign_calls() == before + 3
    assert alice.sign(token, lease).status_code == 400


def _signed(signer: Signer, token: str, digest: bytes) -> Any:
    answer = signer.sign(token, digest)
    assert answer.status_code in {200, 503}, answer.text
    return answer if answer.status_code == 200 else None


def test_an_approved_document_waits_for_the_hsm_and_is_then_signed_by_itself(
    chain: Chain, alice: Signer, tmp_path: Path
) -> None:
    original = make_pdf(pages=2)
    path = alice.walker.upload(original)
    alice.walker.prepare(path, credential_id=alice.credential)
    before = chain.signatures_made()
    with lost_token(chain):
        alice.walker.approve(alice.walker.begin_approval(path))
        eventually(lambda: _attempts(chain) >= 2)
        assert alice.walker.state(path) == "signing"
        assert chain.signatures_made() == before
    assert alice.walker.wait(path) == "signed"
    assert chain.signatures_made() == before + 1
    verify(alice.walker.download(path), original=original, root=read_root(chain.base_url), folder=tmp_path)


def _attempts(chain: Chain) -> int:
    """How often the worker tried the newest job."""
    time.sleep(0.2)
    state, attempts = chain.rows("gateway", "SELECT state, attempts FROM gateway_job ORDER BY created_at DESC LIMIT 1")[
        0
    ]
    assert state in {"approved", "signing"}
    return int(attempts)
