"""The worker: exactly one signHash for each approval, whatever fails, and a truthful end of every job."""

import hashlib
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from gateway import tasks
from gateway.models import Job, StoredDocument
from gateway.pades import isolation
from gateway.services import signing, sweeping
from tests.gateway.conftest import ALIAS, User
from tests.gateway.remote import Remote
from tests.support import pdfs

Work = Callable[[str], None]


def _path(document: StoredDocument) -> object:
    return settings.GATEWAY_DOCUMENTS_DIR / f"{document.pk}.age"


def _age(job_id: str, **columns: timedelta) -> None:
    """Sets columns to a time before now."""
    Job.objects.filter(pk=job_id).update(**{name: timezone.now() - ago for name, ago in columns.items()})


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the jobs that the sweep announced."""
    heard: list[str] = []
    monkeypatch.setattr(sweeping, "ring", lambda job_id: heard.append(str(job_id)))
    return heard


def test_f8_a_task_delivered_twice_signs_once(alice: User, approved: str, remote: Remote) -> None:
    tasks.run_job(approved)
    tasks.run_job(approved)
    assert remote.calls["signHash"] == 1
    assert alice.job(approved)["state"] == "signed"


@pytest.mark.django_db(transaction=True, databases=[ALIAS, "default"])
def test_many_simultaneous_deliveries_sign_once(alice: User, approved: str, remote: Remote, work: Work) -> None:
    def deliver(_number: int) -> None:
        try:
            work(approved)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deliver, range(16)))
    assert remote.calls["signHash"] == 1
    assert alice.job(approved)["state"] == "signed"


def test_a_delivery_while_another_worker_holds_the_job_does_nothing(approved: str, remote: Remote, work: Work) -> None:
    Job.objects.filter(pk=approved).update(
        state="signing", lease_id=uuid.uuid4(), lease_until=timezone.now() + timedelta(seconds=60)
    )
    work(approved)
    assert remote.calls["signHash"] == 0
    assert Job.objects.get(pk=approved).state == "signing"


def test_signing_is_committed_before_the_call(
    approved: str, remote: Remote, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []
    original = remote._signhash

    def watch(request: httpx.Request) -> httpx.Response:
        states.append(Job.objects.get(pk=approved).state)
        return original(request)

    monkeypatch.setattr(remote, "_signhash", watch)
    work(approved)
    assert states == ["signing"]


@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout("slow"), httpx.ReadError("cut"), httpx.Response(500), httpx.Response(200, json={})]
)
def test_a_lost_answer_ends_the_job_and_signhash_is_never_called_again(
    alice: User, approved: str, remote: Remote, work: Work, rung: list[str], failure: httpx.Response | Exception
) -> None:
    remote.sign_answers = [failure]
    work(approved)
    job = alice.job(approved)
    assert (job["state"], job["error"]["code"]) == ("failed", "outcome_unknown")
    work(approved)
    _age(approved, updated_at=timedelta(hours=1))
    sweeping.sweep_jobs()
    assert rung == []
    assert remote.calls["signHash"] == 1
    assert Job.objects.get(pk=approved).token == ""


def test_a_worker_that_died_around_the_call_leaves_an_unknown_outcome(
    alice: User, approved: str, remote: Remote, work: Work, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(**_arguments: object) -> list[bytes]:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(signing.rssp, "sign_digests", die)
        with pytest.raises(Killed):
            work(approved)
    work(approved)
    assert alice.job(approved)["state"] == "signing"
    _age(approved, lease_until=timedelta(seconds=1))
    signing.run_job(job_id=uuid.UUID(approved))
    job = alice.job(approved)
    assert (job["state"], job["error"]["code"]) == ("failed", "outcome_unknown")
    assert remote.calls["signHash"] == 0


def test_a_worker_that_died_after_the_call_is_replaced_without_a_second_call(
    alice: User, approved: str, remote: Remote, work: Work, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(signing, "_finish", die)
        with pytest.raises(Killed):
            work(approved)
    _age(approved, lease_until=timedelta(seconds=1))
    sweeping.sweep_jobs()
    assert rung == [approved]
    work(approved)
    assert alice.job(approved)["state"] == "signed"
    assert remote.calls["signHash"] == 1


@pytest.mark.parametrize("failure", [httpx.ConnectError("down"), httpx.Response(503)])
def test_a_signing_service_that_is_away_is_asked_again_later(
    alice: User, approved: str, remote: Remote, work: Work, rung: list[str], failure: httpx.Response | Exception
) -> None:
    remote.sign_answers = [failure]
    work(approved)
    assert alice.job(approved)["state"] == "approved"
    work(approved)
    assert remote.calls["signHash"] == 1
    sweeping.sweep_jobs()
    assert rung == []
    _age(approved, next_attempt_at=timedelta(seconds=1))
    sweeping.sweep_jobs()
    assert rung == [approved]
    work(approved)
    assert alice.job(approved)["state"] == "signed"


def test_waiting_ends_when_the_approval_does(
    alice: User, approved: str, remote: Remote, work: Work, rung: list[str]
) -> None:
    remote.sign_answers = [httpx.Response(503)]
    work(approved)
    _age(approved, token_expires_at=timedelta(seconds=1), next_attempt_at=timedelta(seconds=1))
    sweeping.sweep_jobs()
    job = alice.job(approved)
    assert (job["state"], job["error"]["code"]) == ("failed", "approval_expired")
    assert remote.calls["signHash"] == 1


def test_an_approval_that_ended_before_the_worker_came_is_not_used(
    alice: User, approved: str, remote: Remote, work: Work
) -> None:
    _age(approved, token_expires_at=timedelta(seconds=1))
    work(approved)
    assert alice.job(approved)["error"]["code"] == "approval_expired"
    assert remote.calls["signHash"] == 0


@pytest.mark.parametrize(
    ("status", "description", "code"),
    [
        (400, "Hash is not authorized by the SAD.", "approval_refused"),
        (400, "SAD expired", "approval_expired"),
        (401, "", "approval_expired"),
        (400, "Signing certificate 'O=,CN=Alice' is expired.", "credential_not_usable"),
        (400, "The credential identified by credentialID is disabled", "credential_not_usable"),
    ],
)
def test_a_refusal_of_the_signing_service_ends_the_job_with_its_reason(
    alice: User, approved: str, remote: Remote, work: Work, status: int, description: str, code: str
) -> None:
    remote.sign_answers = [httpx.Response(status, json={"error": "x", "error_description": description})]
    work(approved)
    job = alice.job(approved)
    assert (job["state"], job["error"]["code"]) == ("failed", code)
    assert remote.calls["signHash"] == 1


def test_a_signature_by_another_key_is_not_handed_out(alice: User, approved: str, remote: Remote, work: Work) -> None:
    remote.sign_with = remote.authority.issue("Mallory")
    work(approved)
    job = alice.job(approved)
    assert (job["state"], job["error"]["code"]) == ("failed", "invalid_signature")
    assert alice.call("GET", f"jobs/{approved}/result").status_code == 409
    assert job["signed"] is None


def test_a_chain_that_does_not_lead_to_the_configured_anchor_is_not_handed_out(
    alice: User, approved: str, work: Work, settings: object, tmp_path: object
) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from tests.support.authority import Authority

    other = x509.load_der_x509_certificate(Authority(name="Another Root").certificate)
    path = tmp_path / "anchors.pem"  # type: ignore[operator]
    path.write_bytes(other.public_bytes(Encoding.PEM))
    settings.TRUST_ANCHORS_FILE = str(path)  # type: ignore[attr-defined]
    work(approved)
    assert alice.job(approved)["error"]["code"] == "invalid_signature"


def test_a_prepared_file_that_was_altered_is_not_handed_out(
    alice: User, approved: str, remote: Remote, work: Work
) -> None:
    path = _path(Job.objects.get(pk=approved).prepared)
    data = bytearray(path.read_bytes())  # type: ignore[attr-defined]
    data[-20] ^= 1
    path.write_bytes(bytes(data))  # type: ignore[attr-defined]
    work(approved)
    job = alice.job(approved)
    assert (job["state"], job["error"]["code"]) == ("failed", "server_error")


def altered(old: bytes, new: bytes, *, then: Callable[..., Any]) -> Callable[..., Any]:
    """A child that does what it is asked, and writes something else into the file that it holds open."""

    def act(document: IO[bytes], *arguments: Any, **named: Any) -> Any:
        answer = then(document, *arguments, **named)
        document.seek(0)
        document.seek(document.read().index(old))
        document.write(new)
        document.flush()
        return answer

    return act


def test_a_document_that_the_process_reading_it_alters_is_signed_as_it_came(
    alice: User, remote: Remote, credential_id: str, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept before any process has it; a child holds the file open."""
    pdf = pdfs.make_pdf()
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "inspect_document", altered(b"Lease", b"Loose", then=isolation.inspect_document))
        job_id = alice.open_job(pdf, HTTP_IDEMPOTENCY_KEY="k").json()["job_id"]
    assert alice.job(job_id)["document"]["sha256"] == hashlib.sha256(pdf).hexdigest()
    assert alice.open_job(pdf, HTTP_IDEMPOTENCY_KEY="k").json()["job_id"] == job_id
    assert alice.prepare(job_id, credential_id).status_code == 200
    alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
    work(job_id)
    assert alice.download(job_id).startswith(pdf)


def test_an_original_that_the_process_preparing_it_alters_is_signed_as_it_came(
    alice: User, remote: Remote, credential_id: str, work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its digest is of the document that is stored, and no child has that."""
    pdf = pdfs.make_pdf()
    job_id = alice.open_job(pdf).json()["job_id"]
    monkeypatch.setattr(isolation, "prepare_document", altered(b"Lease", b"Loose", then=isolation.prepare_document))
    assert alice.prepare(job_id, credential_id).status_code == 200
    alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
    work(job_id)
    signed = alice.download(job_id)
    assert signed.startswith(pdf)
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    said = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, check=True).stdout
    assert "Signature is Valid." in said
    assert "Total document signed" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"/ByteRange [0 ", b"/ByteRange [1 "), (b"/ETSI.CAdES", b"/ETSI.CADES"), (b"/Contents <", b"/Contents (")],
)
def test_an_update_that_says_something_else_than_was_asked_for_is_not_approved(
    alice: User, credential_id: str, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes
) -> None:
    job_id = alice.open_job(pdfs.make_pdf()).json()["job_id"]
    monkeypatch.setattr(isolation, "prepare_document", altered(old, new, then=isolation.prepare_document))
    assert alice.prepare(job_id, credential_id).json()["error"] == "damaged_pdf"
    assert alice.job(job_id)["state"] == "open"


def test_a_signature_of_level_b_b_is_finished_without_a_child(
    alice: User, approved: str, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise AssertionError("a child was asked")

    monkeypatch.setattr(isolation, "_call", refuse)
    work(approved)
    job = alice.job(approved)
    assert job["state"] == "signed"
    signed = alice.download(approved)
    assert (job["signed"]["size"], job["signed"]["sha256"]) == (len(signed), hashlib.sha256(signed).hexdigest())


def test_a_full_disk_while_completing_is_tried_again_without_signing_again(
    alice: User, approved: str, remote: Remote, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: object, **_parameters: object) -> StoredDocument:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(signing.documents, "write_document", full)
        work(approved)
    assert (alice.job(approved)["state"], alice.job(approved)["waits_for"]) == ("signing", "storage_full")
    _age(approved, lease_until=timedelta(seconds=1))
    work(approved)
    assert alice.job(approved)["state"] == "signed"
    assert remote.calls["signHash"] == 1


def test_the_sweep_rings_for_an_approved_job_whose_bell_was_lost(approved: str, rung: list[str]) -> None:
    sweeping.sweep_jobs()
    assert rung == []
    _age(approved, updated_at=timedelta(seconds=10))
    sweeping.sweep_jobs()
    assert rung == [approved]


def test_a_job_that_nobody_approved_expires_and_its_documents_go(alice: User, prepared: str) -> None:
    paths = [_path(document) for document in StoredDocument.objects.all()]
    assert len(paths) == 2
    _age(prepared, expires_at=timedelta(seconds=1))
    tasks.sweep_jobs()
    assert alice.job(prepared)["state"] == "expired"
    assert not StoredDocument.objects.exists()
    assert not any(path.exists() for path in paths)  # type: ignore[attr-defined]
    assert alice.ask(prepared).status_code == 409


def test_a_signed_document_is_purged_when_its_retention_ends(alice: User, approved: str, work: Work) -> None:
    work(approved)
    _age(approved, expires_at=timedelta(seconds=1))
    sweeping.sweep_jobs()
    assert alice.job(approved)["state"] == "expired"
    assert alice.call("GET", f"jobs/{approved}/result").status_code == 404
    assert not StoredDocument.objects.exists()


def test_a_deleted_job_leaves_no_file_and_no_key(alice: User, approved: str, work: Work) -> None:
    work(approved)
    path = _path(Job.objects.get(pk=approved).signed)
    assert alice.call("DELETE", f"jobs/{approved}").status_code == 204
    assert not path.exists()  # type: ignore[attr-defined]
    assert not StoredDocument.objects.exists()
    assert alice.call("GET", f"jobs/{approved}").status_code == 404


def test_no_secret_of_a_job_is_readable_in_the_database(approved: str, remote: Remote) -> None:
    job = Job.objects.get(pk=approved)
    (token,) = remote.granted
    assert job.token
    assert not any(token in str(value) for value in Job.objects.filter(pk=approved).values()[0].values())
