"""Batches: one approval for many documents, each signed once or in a state that says why not."""

import json
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from gateway.errors import DamagedPdfError
from gateway.models import Batch, Job
from gateway.services import batch_preparing, batch_signing, batch_work, sweeping
from gateway.services.keeping import Made
from tests.gateway.conftest import ALIAS, User
from tests.gateway.remote import Remote
from tests.support import pdfs

BAD = b"%PDF-1.7\n" + b"no pages here\n" * 20


@dataclass
class Bundle:
    """A batch of Alice's, and what her client and the workers do with it."""

    user: User
    remote: Remote
    credential_id: str
    batch_id: str = ""

    def open(self, *pdf: bytes, policy: str = "all_or_nothing") -> "Bundle":
        self.batch_id = self.put(*(self.job(each) for each in pdf), policy=policy).json()["batch_id"]
        return self

    def job(self, pdf: bytes) -> str:
        return str(self.user.open_job(pdf).json()["job_id"])

    def put(self, *job_ids: Any, policy: str = "all_or_nothing") -> Any:
        return self.user.call("POST", "batches", {"jobs": list(job_ids), "policy": policy})

    def post(self, action: str, body: dict[str, Any]) -> Any:
        return self.user.call("POST", f"batches/{self.batch_id}/{action}", body)

    def prepare(self, **members: Any) -> Any:
        answer = self.post("prepare", {"credential_id": self.credential_id, "level": "B-B", **members})
        self.work()
        return answer

    def ask(self) -> Any:
        return self.post("authorization", {"state": "s" * 43})

    def approve(self) -> Any:
        code = self.remote.approve(self.ask().json()["authorization_url"], self.user.subject)
        return self.complete(code)

    def complete(self, code: str) -> Any:
        return self.post("complete", {"code": code, "iss": settings.ISSUER})

    def work(self) -> None:
        batch_work.run_batch(batch_id=uuid.UUID(self.batch_id))

    def told(self) -> Any:
        return self.user.call("GET", f"batches/{self.batch_id}").json()

    def jobs(self) -> list[dict[str, Any]]:
        return list(self.user.call("GET", f"batches/{self.batch_id}/jobs").json()["jobs"])

    def states(self) -> list[str]:
        return [job["state"] for job in self.jobs()]

    def result(self, number: int) -> Any:
        return self.user.call("GET", f"jobs/{self.jobs()[number]['job_id']}/result")


@pytest.fixture
def bundle(alice: User, remote: Remote) -> Bundle:
    return Bundle(alice, remote, remote.add_credential(alice.subject, "p256"))


@pytest.fixture
def pair(bundle: Bundle) -> Bundle:
    """Two documents, prepared."""
    bundle.open(*(pdfs.make_pdf(text=text) for text in ("Lease", "Annex")))
    assert bundle.prepare().status_code == 202
    assert bundle.told()["state"] == "prepared"
    return bundle


def test_one_approval_signs_every_document(pair: Bundle, remote: Remote, tmp_path: Path) -> None:
    assert pair.approve().status_code == 202
    pair.work()
    told = pair.told()
    assert (told["state"], told["total"], told["states"]) == ("ended", 2, {"signed": 2})
    assert (remote.calls["signHash"], remote.calls["token"]) == (1, 1)
    assert Batch.objects.get().token == ""
    for number in range(2):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(b"".join(pair.result(number).streaming_content))
        said = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, check=False).stdout
        assert "Signature is Valid." in said
        assert "Total document signed" in said
        assert "Not total document signed" not in said
        assert subprocess.run(["qpdf", "--check", path], capture_output=True, check=False).returncode == 0


def test_the_approval_names_each_document_in_order(pair: Bundle, remote: Remote) -> None:
    pair.ask()
    ((form),) = remote.pushed.values()
    (detail,) = json.loads(form["authorization_details"])
    assert detail["numSignatures"] == 2
    assert [item["hash"] for item in detail["documentDigests"]] == [job["digest"] for job in pair.jobs()]


def test_one_document_of_a_batch_says_something_of_its_own(pair: Bundle, remote: Remote) -> None:
    second = pair.jobs()[1]["job_id"]
    assert pair.user.call("POST", f"jobs/{second}/options", {"reason": "As a witness"}).status_code == 200
    before = [job["digest"] for job in pair.jobs()]
    assert pair.prepare(reason="As agreed").status_code == 202
    assert all(job["digest"] not in before for job in pair.jobs())
    assert pair.approve().status_code == 202
    pair.work()
    reasons = [b"".join(pair.result(number).streaming_content) for number in (0, 1)]
    assert [b"(As agreed)" in pdf for pdf in reasons] == [True, False]
    assert [b"(As a witness)" in pdf for pdf in reasons] == [False, True]


def test_options_of_one_document_are_for_a_batch_that_is_not_worked_on(
    pair: Bundle, alice: User, bob: User, remote: Remote
) -> None:
    job_id = pair.jobs()[0]["job_id"]
    assert bob.call("POST", f"jobs/{job_id}/options", {"reason": "Mine"}).status_code == 404
    assert alice.call("POST", f"jobs/{job_id}/options", {"reason": 7}).status_code == 400
    alone = alice.open_job(pdfs.make_pdf(text="Alone")).json()["job_id"]
    assert alice.call("POST", f"jobs/{alone}/options", {"reason": "No batch"}).status_code == 409
    assert pair.approve().status_code == 202
    assert alice.call("POST", f"jobs/{job_id}/options", {"reason": "Too late"}).status_code == 409


def test_each_document_can_be_read_again_from_the_approval(pair: Bundle, remote: Remote) -> None:
    links = {job["job_id"]: f"{settings.SIGNAPP_URL}/documents/{job['job_id']}" for job in pair.jobs()}
    answer = pair.post("authorization", {"state": "s" * 43, "links": links})
    assert answer.status_code == 200
    ((form),) = remote.pushed.values()
    assert json.loads(form["authorization_details"])[0]["documentLinks"] == list(links.values())


@pytest.mark.parametrize("links", [[], "x", {"no identifier": "https://sign.example/"}, {str(uuid.uuid4()): 7}])
def test_malformed_links_ask_for_nothing(pair: Bundle, links: Any) -> None:
    assert pair.post("authorization", {"state": "s" * 43, "links": links}).status_code == 400
    assert pair.told()["state"] == "prepared"


def test_signatures_are_asked_for_in_portions_that_fail_alone(
    bundle: Bundle, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_signing, "_CHUNK", 2)
    bundle.open(*(pdfs.make_pdf(text=f"Lease {number}") for number in range(5)), policy="best_effort")
    bundle.prepare()
    bundle.approve()
    refusal = {"error": "invalid_request", "error_description": "Invalid parameter SAD"}
    original, asked = remote._signhash, []

    def second_fails(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(400, json=refusal) if len(asked) == 2 else original(request)

    monkeypatch.setattr(remote, "_signhash", second_fails)
    bundle.work()
    assert bundle.states() == ["signed", "signed", "failed", "failed", "signed"]
    assert bundle.told()["state"] == "ended"
    assert bundle.result(0).status_code == 200
    assert bundle.result(2).json()["error"] == "not_signed_yet"


def test_all_or_nothing_hands_nothing_out_where_one_is_missing(pair: Bundle, remote: Remote) -> None:
    pair.approve()
    remote.sign_answers = [httpx.Response(400, json={"error": "invalid_request", "error_description": "no"})]
    pair.work()
    assert pair.states() == ["failed"] * 2
    assert (pair.told()["state"], pair.told()["error"]["code"]) == ("failed", "batch_incomplete")
    # One whose signature is there and whose file is lost: the others are withheld.
    Job.objects.filter(pk=pair.jobs()[0]["job_id"]).update(state="signed")
    assert pair.result(0).status_code == 409


@pytest.mark.parametrize("policy", ["all_or_nothing", "best_effort"])
def test_a_document_that_cannot_be_prepared_is_named(
    bundle: Bundle, remote: Remote, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    bundle.open(pdfs.make_pdf(), pdfs.make_pdf(text="Annex"), policy=policy)
    bad = bundle.jobs()[1]["job_id"]
    original = batch_preparing.make_prepared

    def refuse(**arguments: Any) -> Made:
        if str(arguments["job"].pk) == bad:
            raise DamagedPdfError
        return original(**arguments)

    monkeypatch.setattr(batch_preparing, "make_prepared", refuse)
    bundle.prepare()
    assert bundle.jobs()[1]["error"]["code"] == "damaged_pdf"
    if policy == "all_or_nothing":
        assert (bundle.told()["state"], bundle.told()["error"]["code"]) == ("failed", "batch_incomplete")
        assert bundle.ask().status_code == 409
        # The way forward: without it.
        assert bundle.user.call("DELETE", f"jobs/{bad}").status_code == 204
        bundle.prepare()
        assert bundle.told()["state"] == "prepared"
    bundle.approve()
    bundle.work()
    assert bundle.states()[0] == "signed"
    assert remote.calls["signHash"] == 1


# --- Refusals ---------------------------------------------------------------------------------------------


def test_jobs_of_others_and_jobs_that_are_not_there_make_no_batch(bundle: Bundle, bob: User, remote: Remote) -> None:
    mine, foreign = bundle.job(pdfs.make_pdf()), str(bob.open_job().json()["job_id"])
    for other in (foreign, str(uuid.uuid4())):
        answer = bundle.put(mine, other)
        assert (answer.status_code, answer.json()["error"]) == (404, "job_not_found")
    assert Batch.objects.count() == 0
    assert Job.objects.filter(batch=None).count() == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"jobs": []},
        {"jobs": "x"},
        {"jobs": ["x"]},
        {"jobs": [1]},
        {"jobs": [str(uuid.UUID(int=1))] * 2},
        {"jobs": [str(uuid.UUID(int=number)) for number in range(1001)]},
        {"jobs": [str(uuid.UUID(int=1))], "policy": "most"},
    ],
)
def test_a_malformed_batch_is_refused(bundle: Bundle, body: dict[str, Any]) -> None:
    answer = bundle.user.call("POST", "batches", body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_job_is_in_one_batch_and_is_not_approved_beside_it(pair: Bundle) -> None:
    job_id = pair.jobs()[0]["job_id"]
    assert pair.put(job_id).json()["error"] == "wrong_state"
    assert pair.user.prepare(job_id, pair.credential_id).json()["error"] == "wrong_state"
    assert pair.user.ask(job_id).json()["error"] == "wrong_state"


def test_a_signed_job_joins_no_batch(bundle: Bundle, alice: User, approved: str, work: Any) -> None:
    assert bundle.put(approved).json()["error"] == "wrong_state"
    work(approved)
    assert bundle.put(approved).json()["error"] == "wrong_state"


def test_steps_out_of_order_are_refused(bundle: Bundle) -> None:
    bundle.open(pdfs.make_pdf())
    assert bundle.ask().json()["error"] == "wrong_state"
    assert bundle.complete("code").json()["error"] == "wrong_state"
    bundle.prepare()
    assert bundle.complete("code").json()["error"] == "wrong_state"


def test_a_short_lived_certificate_is_for_one_signature(bundle: Bundle, remote: Remote) -> None:
    bundle.open(pdfs.make_pdf())
    remote.credentials[bundle.credential_id].short_lived = True
    assert bundle.prepare().json()["error"] == "credential_not_usable"


def test_another_issuers_answer_and_a_token_for_something_else_are_refused(pair: Bundle, remote: Remote) -> None:
    code = remote.approve(pair.ask().json()["authorization_url"], pair.user.subject)
    assert pair.post("complete", {"code": code, "iss": "https://evil.example"}).json()["error"] == "approval_refused"
    remote.token_changes = {"sub": "mallory"}
    assert pair.complete(code).json()["error"] == "approval_refused"
    pair.work()
    assert remote.calls["signHash"] == 0


def test_preparing_again_makes_an_approval_worthless(pair: Bundle, remote: Remote) -> None:
    code = remote.approve(pair.ask().json()["authorization_url"], pair.user.subject)
    pair.prepare()
    assert pair.complete(code).json()["error"] == "wrong_state"
    assert remote.calls["signHash"] == 0


def test_what_is_being_approved_or_signed_is_not_deleted(pair: Bundle) -> None:
    job_id = pair.jobs()[0]["job_id"]
    pair.ask()
    assert pair.user.call("DELETE", f"jobs/{job_id}").json()["error"] == "wrong_state"
    pair.approve()
    assert pair.user.call("DELETE", f"batches/{pair.batch_id}").json()["error"] == "wrong_state"
    pair.work()
    assert pair.user.call("DELETE", f"batches/{pair.batch_id}").status_code == 204
    assert Job.objects.count() == Batch.objects.count() == 0


# --- Whatever dies, or comes twice ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True, databases=[ALIAS, "default"])
def test_workers_at_one_batch_prepare_and_sign_each_document_once(bundle: Bundle, remote: Remote) -> None:
    def deliver(_number: int) -> None:
        try:
            bundle.work()
        finally:
            connections.close_all()

    bundle.open(*(pdfs.make_pdf(text=f"Lease {number}") for number in range(4)), policy="best_effort")
    with ThreadPoolExecutor(4) as threads:
        bundle.post("prepare", {"credential_id": bundle.credential_id, "level": "B-B"})
        list(threads.map(deliver, range(6)))
        bundle.work()
        assert bundle.told()["state"] == "prepared"
        bundle.approve()
        list(threads.map(deliver, range(6)))
    bundle.work()
    assert bundle.states() == ["signed"] * 4
    assert remote.calls["signHash"] == 1


def test_a_worker_that_dies_while_it_prepares_is_replaced(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.open(pdfs.make_pdf(), pdfs.make_pdf(text="Annex"))
    with monkeypatch.context() as patch:
        patch.setattr(batch_preparing, "make_prepared", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            bundle.prepare()
    bundle.work()
    assert bundle.told()["state"] == "preparing"  # the lease of the dead one stands
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    bundle.work()
    assert bundle.told()["state"] == "prepared"


def test_a_worker_that_dies_while_it_asks_leaves_an_unknown_outcome_and_no_second_call(
    pair: Bundle, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.approve()
    with monkeypatch.context() as patch:
        patch.setattr(remote, "_signhash", lambda _request: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pair.work()
    assert pair.states() == ["signing"] * 2
    pair.work()
    assert pair.states() == ["signing"] * 2
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    pair.work()
    assert {job["error"]["code"] for job in pair.jobs()} == {"outcome_unknown"}
    assert (pair.told()["state"], remote.calls["signHash"]) == ("failed", 1)


def test_a_service_that_does_not_answer_is_asked_again_until_the_approval_ends(pair: Bundle, remote: Remote) -> None:
    pair.approve()
    remote.sign_answers = [httpx.ConnectError("down")]
    pair.work()
    assert pair.states() == ["approved"] * 2
    pair.work()
    assert remote.calls["signHash"] == 1  # not before its time
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    pair.work()
    assert pair.states() == ["signed"] * 2


def test_an_approval_that_ended_is_said(pair: Bundle, remote: Remote) -> None:
    pair.approve()
    Batch.objects.update(token_expires_at=timezone.now())
    pair.work()
    assert {job["error"]["code"] for job in pair.jobs()} == {"approval_expired"}
    assert remote.calls["signHash"] == 0


def test_a_redeemed_code_is_not_redeemed_again(pair: Bundle, remote: Remote) -> None:
    code = remote.approve(pair.ask().json()["authorization_url"], pair.user.subject)
    assert [pair.complete(code).status_code for _ in range(3)] == [202] * 3
    assert remote.calls["token"] == 1


def test_the_sweep_rings_for_work_that_nobody_does_and_ends_what_is_too_old(
    pair: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(sweeping, "ring_batch", lambda batch_id: heard.append(str(batch_id)))
    pair.approve()
    sweeping.sweep_jobs()
    assert heard == []  # it was rung for just now
    Batch.objects.update(updated_at=timezone.now() - timedelta(seconds=10))
    sweeping.sweep_jobs()
    assert heard == [pair.batch_id]


def test_a_batch_that_nobody_approved_expires(pair: Bundle) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Batch.objects.update(expires_at=past)
    Job.objects.update(expires_at=past)
    sweeping.sweep_jobs()
    assert (pair.told()["state"], pair.states()) == ("expired", ["expired"] * 2)
    assert pair.ask().status_code == 409
