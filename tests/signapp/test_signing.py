"""A document's way to its signature, and every way off it."""

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings

from signapp import errors
from signapp.models import Document, StoredFile
from signapp.services import approvals, certificates, documents, signing
from signapp.wire import Certificate, CertificateRequest, clean_file_name
from tests.signapp.conftest import PDF, Person
from tests.signapp.remote import Remote

SIGNED = PDF + b" and a signature"


def complete(person: Person, state: str, **changes: Any) -> approvals.Completed:
    query = {"state": state, "code": "code-1", "iss": django_settings.ISSUER, "error": ""} | changes
    return approvals.complete(session=person.session, **person.who, **query)


@pytest.fixture
def approved(alice: Person) -> Document:
    document = alice.upload()
    alice.prepare(document)
    complete(alice, alice.begin(document))
    return alice.find(document)


def job_of(document: Document) -> str:
    return str(document.job_id)


# --- The library --------------------------------------------------------------------------------------------


def test_a_document_is_kept_encrypted_and_comes_back(alice: Person, settings: Any) -> None:
    document = alice.upload()
    (file,) = Path(settings.SIGNAPP_DOCUMENTS_DIR).iterdir()
    assert PDF not in file.read_bytes()
    with documents.open_original(account=alice.account, document_id=document.pk) as original:
        assert original.read() == PDF
    documents.delete_document(**alice.who, document_id=document.pk)
    assert not file.exists()
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize("code", errors.REFUSALS)
def test_a_refused_document_leaves_nothing(alice: Person, remote: Remote, code: str, settings: Any) -> None:
    remote.answers["inspections"] = httpx.Response(422, json={"error": code})
    with pytest.raises(errors.DocumentRefusedError) as refused:
        alice.upload()
    assert refused.value.code == code
    assert str(refused.value) == errors.REFUSALS[code]
    assert not Document.objects.exists()
    assert not StoredFile.objects.exists()
    assert not Path(settings.SIGNAPP_DOCUMENTS_DIR).exists()


@pytest.mark.parametrize(
    ("bent", "expected"),
    [
        (httpx.ConnectError("away"), errors.ServiceUnavailableError),
        (httpx.Response(500), errors.ServiceUnavailableError),
        (httpx.Response(200, json={"pages": "three"}), errors.ServiceUnavailableError),
        (httpx.Response(200, text="<html>"), errors.ServiceUnavailableError),
        (httpx.Response(401, json={"error": "invalid_token"}), errors.LoginRequiredError),
        (
            httpx.Response(
                200, json={"pages": 1, "size": len(PDF), "sha256": "0" * 64, "signatures": 0, "page_sizes": []}
            ),
            errors.ServiceUnavailableError,
        ),
    ],
)
def test_what_the_gateway_did_not_vouch_for_is_not_kept(
    alice: Person, remote: Remote, bent: Any, expected: type[Exception]
) -> None:
    remote.answers["inspections"] = bent
    with pytest.raises(expected):
        alice.upload()
    assert not StoredFile.objects.exists()


def test_what_is_too_large_is_not_even_sent(alice: Person, remote: Remote, settings: Any) -> None:
    settings.MAX_DOCUMENT_BYTES = len(PDF) - 1
    with pytest.raises(errors.DocumentTooLargeError):
        alice.upload()
    with pytest.raises(errors.DocumentTooLargeError):
        documents.add_document(**alice.who, upload=io.BytesIO(PDF), name="a.pdf", size=1)
    assert remote.calls["inspections"] == 0


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\lease.pdf", "lease.pdf"),
        ("a\0b\r\nX-Evil: 1.pdf", "abX-Evil: 1.pdf"),
        ("\u202efdp.exe", "fdp.exe"),
        ("", "document.pdf"),
        ("...", "document.pdf"),
        ("/", "document.pdf"),
        (". .hidden.pdf", "hidden.pdf"),
        ('"><img src=x onerror=alert(1)>.pdf', '"><img src=x onerror=alert(1)>.pdf'),
    ],
)
def test_a_hostile_name_becomes_harmless(name: str, kept: str) -> None:
    assert clean_file_name(name) == kept


def test_a_long_name_is_shortened_in_the_middle() -> None:
    assert len(clean_file_name("a" * 4000 + ".pdf")) == 120
    assert clean_file_name("a" * 4000 + ".pdf").endswith(".pdf")


def test_another_persons_document_does_not_exist(alice: Person, bob: Person) -> None:
    document = alice.upload()
    alice.prepare(document)
    calls: list[Callable[[], Any]] = [
        lambda: bob.find(document),
        lambda: bob.prepare(document),
        lambda: bob.begin(document),
        lambda: bob.refresh(document),
        lambda: documents.open_original(account=bob.account, document_id=document.pk),
        lambda: documents.open_signed(account=bob.account, document_id=document.pk),
        lambda: documents.delete_document(**bob.who, document_id=document.pk),
        lambda: signing.cancel_signature(**bob.who, document_id=document.pk),
        lambda: documents.find_document(account=bob.account, document_id=uuid.uuid4()),
    ]
    for call in calls:
        with pytest.raises(errors.DocumentNotFoundError):
            call()
    assert documents.list_documents(account=bob.account) == []
    assert alice.find(document).state == "prepared"


# --- Prepare ------------------------------------------------------------------------------------------------


def test_what_is_prepared_shows_its_fingerprint(alice: Person) -> None:
    prepared = alice.prepare(alice.upload())
    assert len(prepared.fingerprint.split()) == 8
    assert prepared.credential == "Alice Example"
    assert prepared.document.state == "prepared"


def test_preparing_again_uses_the_same_job_and_a_lost_answer_too(alice: Person, remote: Remote) -> None:
    document = alice.upload()
    real = remote._jobs

    def lose(request: httpx.Request) -> httpx.Response:
        real(request)
        raise httpx.ReadTimeout("lost")

    remote.answers["jobs"] = lose
    with pytest.raises(errors.ServiceUnavailableError):
        alice.prepare(document)
    alice.prepare(document)
    alice.prepare(document)
    assert len(remote.jobs) == 1


def test_a_job_that_is_gone_is_opened_anew(alice: Person, remote: Remote) -> None:
    document = alice.upload()
    alice.prepare(document)
    remote.jobs.clear()
    assert alice.prepare(document).document.state == "prepared"


@pytest.mark.parametrize(
    "lie",
    [
        {"digest": "AAAA"},
        {"digest": None},
        {"digest": "***"},
        {"state": "open"},
        {"credential_id": "credential-2"},
        {"document": {"sha256": "0" * 64}},
    ],
)
def test_a_job_that_is_not_what_was_asked_for_is_not_shown(alice: Person, remote: Remote, lie: dict[str, Any]) -> None:
    document = alice.upload()
    real = remote._prepare
    remote.answers["prepare"] = lambda request: httpx.Response(200, json={**real(request).json(), **lie})
    with pytest.raises(errors.ServiceUnavailableError):
        alice.prepare(document)
    assert alice.find(document).fingerprint == ""


def test_a_certificate_that_cannot_sign_is_named(alice: Person, remote: Remote) -> None:
    remote.answers["prepare"] = httpx.Response(409, json={"error": "credential_not_usable"})
    with pytest.raises(errors.CertificateNotUsableError):
        alice.prepare(alice.upload())


# --- Approve ------------------------------------------------------------------------------------------------


def test_only_a_prepared_document_is_sent_to_the_approval(alice: Person) -> None:
    with pytest.raises(errors.WrongStateError):
        alice.begin(alice.upload())


@pytest.mark.parametrize("url", ["https://mallory.example/authz/oauth2/authorize?x", "javascript:alert(1)", "", None])
def test_nobody_else_asks_for_the_approval(alice: Person, remote: Remote, url: str | None) -> None:
    document = alice.upload()
    alice.prepare(document)
    remote.answers["authorization"] = httpx.Response(200, json={"authorization_url": url, "expires_in": 90})
    with pytest.raises(errors.ServiceUnavailableError):
        alice.begin(document)


def test_a_state_counts_in_the_browser_and_account_that_asked_with_it(alice: Person, bob: Person) -> None:
    document = alice.upload()
    alice.prepare(document)
    state = alice.begin(document)
    assert len(state) >= 22
    for person, tried in ((bob, state), (alice, ""), (alice, state + "x"), (alice, state[:-1])):
        with pytest.raises(errors.ApprovalStaleError):
            complete(person, tried)
    bob.session["pending_approvals"] = alice.session["pending_approvals"]
    with pytest.raises(errors.ApprovalStaleError):
        complete(bob, state)
    assert alice.remote.codes_redeemed == []


@pytest.mark.parametrize("changes", [{"iss": ""}, {"iss": "https://mallory.example/authz"}, {"code": ""}])
def test_an_answer_from_elsewhere_is_not_handed_on(alice: Person, changes: dict[str, str]) -> None:
    document = alice.upload()
    alice.prepare(document)
    with pytest.raises(errors.ApprovalNotVerifiedError):
        complete(alice, alice.begin(document), **changes)
    assert alice.remote.codes_redeemed == []
    assert alice.find(document).state == "approving"


def test_a_denied_approval_leaves_the_document_prepared(alice: Person) -> None:
    document = alice.upload()
    alice.prepare(document)
    with pytest.raises(errors.ApprovalDeniedError):
        complete(alice, alice.begin(document), error="access_denied", code="")
    assert alice.find(document).state == "prepared"
    assert complete(alice, alice.begin(document)).document is not None


@pytest.mark.parametrize(
    ("status", "code", "expected", "state"),
    [
        (410, "approval_expired", errors.ApprovalExpiredError, "prepared"),
        (403, "approval_refused", errors.ApprovalRefusedError, "prepared"),
        (403, "approval_denied", errors.ApprovalDeniedError, "prepared"),
        (404, "job_not_found", errors.JobLostError, "failed"),
        (503, "authorization_server_unavailable", errors.AuthorizationServerUnavailableError, "approving"),
        (500, "server_error", errors.ServiceUnavailableError, "approving"),
    ],
)
def test_what_the_gateway_refuses_is_told(
    alice: Person, remote: Remote, status: int, code: str, expected: type[Exception], state: str
) -> None:
    document = alice.upload()
    alice.prepare(document)
    asked = alice.begin(document)
    remote.answers["complete"] = httpx.Response(status, json={"error": code})
    with pytest.raises(expected):
        complete(alice, asked)
    assert alice.find(document).state == state


def test_a_replayed_answer_redeems_nothing_and_tells_where_the_document_stands(alice: Person) -> None:
    document = alice.upload()
    alice.prepare(document)
    state = alice.begin(document)
    assert complete(alice, state).document.state == "signing"  # type: ignore[union-attr]
    assert complete(alice, state).document.state == "signing"  # type: ignore[union-attr]
    assert alice.remote.codes_redeemed == ["code-1"]


def test_while_it_is_being_signed_nothing_else_is_done(alice: Person, approved: Document) -> None:
    with pytest.raises(errors.WrongStateError):
        alice.prepare(approved)
    with pytest.raises(errors.WrongStateError):
        alice.begin(approved)
    with pytest.raises(errors.DocumentBusyError):
        signing.cancel_signature(**alice.who, document_id=approved.pk)
    with pytest.raises(errors.DocumentBusyError):
        documents.delete_document(**alice.who, document_id=approved.pk)
    with pytest.raises(errors.WrongStateError):
        documents.open_signed(account=alice.account, document_id=approved.pk)


def test_cancelling_a_job_that_was_approved_meanwhile_is_too_late(alice: Person, remote: Remote) -> None:
    document = alice.upload()
    alice.prepare(document)
    alice.begin(document)
    remote.jobs[job_of(alice.find(document))]["state"] = "approved"
    with pytest.raises(errors.DocumentBusyError):
        signing.cancel_signature(**alice.who, document_id=document.pk)
    with pytest.raises(errors.DocumentBusyError):
        documents.delete_document(**alice.who, document_id=document.pk)
    assert alice.refresh(document).state == "signing"


def test_a_cancelled_document_is_as_it_was(alice: Person, remote: Remote) -> None:
    document = alice.upload()
    alice.prepare(document)
    alice.begin(document)
    assert signing.cancel_signature(**alice.who, document_id=document.pk).state == "ready"
    assert remote.jobs == {}
    assert alice.prepare(document).document.state == "prepared"


# --- Follow -------------------------------------------------------------------------------------------------


def test_a_signed_document_is_kept_here_and_purged_there(alice: Person, remote: Remote, approved: Document) -> None:
    remote.finish(job_of(approved), SIGNED)
    document = alice.refresh(approved)
    assert document.state == "signed"
    assert document.signed_at is not None
    assert remote.jobs == {}
    with documents.open_signed(account=alice.account, document_id=document.pk) as signed:
        assert signed.read() == SIGNED
    assert alice.refresh(document).state == "signed"


@pytest.mark.parametrize("wrong", [b"%PDF-1.7 another!", SIGNED + b" ", SIGNED[:-1], b""])
def test_a_result_that_was_altered_is_not_kept(alice: Person, remote: Remote, approved: Document, wrong: bytes) -> None:
    remote.finish(job_of(approved), SIGNED)
    remote.results[job_of(approved)] = wrong
    document = alice.refresh(approved)
    assert (document.state, document.error_code) == ("failed", "result_damaged")
    assert document.signed is None
    assert StoredFile.objects.count() == 1


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        ("expired", None, "job_expired"),
        ("failed", {"code": "outcome_unknown", "message": "m"}, "outcome_unknown"),
        ("failed", {"code": "invalid_signature", "message": "m"}, "invalid_signature"),
        ("failed", {"code": "<script>", "message": "m"}, "server_error"),
        (None, None, "job_lost"),
    ],
)
def test_a_job_that_ended_badly_says_why_and_can_be_begun_anew(
    alice: Person, remote: Remote, approved: Document, state: str | None, error: Any, code: str
) -> None:
    if state is None:
        remote.jobs.clear()
    else:
        remote.jobs[job_of(approved)] |= {"state": state, "error": error}
    document = alice.refresh(approved)
    assert (document.state, document.error_code) == ("failed", code)
    assert document.error_message
    assert alice.prepare(document).document.state == "prepared"
    assert alice.find(document).error_code == ""


@pytest.mark.parametrize("bent", [httpx.ConnectError("away"), httpx.Response(500), httpx.Response(200, json={})])
def test_a_gateway_that_is_away_changes_nothing(alice: Person, remote: Remote, approved: Document, bent: Any) -> None:
    remote.answers["get_job"] = bent
    with pytest.raises(errors.ServiceUnavailableError):
        alice.refresh(approved)
    remote.finish(job_of(approved), SIGNED)
    remote.answers["result"] = httpx.ReadError("cut off")
    with pytest.raises(errors.ServiceUnavailableError):
        alice.refresh(approved)
    assert alice.refresh(approved).state == "signed"


def test_of_two_requests_that_fetch_at_once_one_keeps(alice: Person, remote: Remote, approved: Document) -> None:
    remote.finish(job_of(approved), SIGNED)
    real = remote._result

    def overtaken(request: httpx.Request) -> httpx.Response:
        answer = real(request)
        assert alice.refresh(approved).state == "signed"
        return answer

    remote.answers["result"] = overtaken
    assert alice.refresh(approved).state == "signed"
    assert StoredFile.objects.count() == 2


def test_who_is_overtaken_before_fetching_finds_it_signed(alice: Person, remote: Remote, approved: Document) -> None:
    remote.finish(job_of(approved), SIGNED)

    def overtaken(request: httpx.Request) -> httpx.Response:
        alice.refresh(approved)
        return remote._result(request)

    remote.answers["result"] = overtaken
    assert alice.refresh(approved).state == "signed"


# --- Certificates -------------------------------------------------------------------------------------------


def test_a_certificate_is_asked_for_and_made(alice: Person, remote: Remote) -> None:
    certificates.request_certificate(
        session=alice.session, **alice.who, key_algorithm="ec-p256", next_path="//mallory.example"
    )
    state = remote.asked_certificate["state"]
    for iss in ("", "https://mallory.example"):
        with pytest.raises(errors.ApprovalNotVerifiedError):
            complete(alice, state, iss=iss)
    with pytest.raises(errors.ApprovalDeniedError):
        complete(alice, state, error="access_denied")
    made = complete(alice, state)
    assert isinstance(made.certificate, Certificate)
    assert made.certificate.is_usable
    assert made.next_path == "/"
    assert remote.asked_certificate["certificate_policy"] == "demonstration"


def test_a_certificate_that_an_operator_must_approve_is_a_request(alice: Person, remote: Remote, settings: Any) -> None:
    settings.CERTIFICATE_POLICY, remote.waits = "signer", True
    certificates.request_certificate(session=alice.session, **alice.who, key_algorithm="ec-p256", next_path="/")
    assert remote.asked_certificate["certificate_policy"] == "signer"
    made = complete(alice, remote.asked_certificate["state"])
    assert isinstance(made.certificate, CertificateRequest)
    assert certificates.list_requests(token=alice.who["token"]) == [made.certificate]


@pytest.mark.parametrize("requests", [None, "none", [7], [{"state": "waiting"}]])
def test_requests_that_cannot_be_read_are_a_fault_of_the_service(alice: Person, remote: Remote, requests: Any) -> None:
    remote.answers["credentials"] = httpx.Response(200, json={"credentials": [], "requests": requests})
    with pytest.raises(errors.ServiceUnavailableError):
        certificates.list_requests(token=alice.who["token"])


@pytest.mark.parametrize("change", [{"valid_to": "soon"}, {"valid_to": "2027-01-01T00:00:00"}, {"credential_id": 7}])
def test_a_certificate_that_cannot_be_read_is_a_fault_of_the_service(
    alice: Person, remote: Remote, change: dict[str, Any]
) -> None:
    remote.answers["credentials"] = httpx.Response(200, json={"credentials": [remote.CREDENTIAL | change]})
    with pytest.raises(errors.ServiceUnavailableError):
        certificates.list_certificates(token=alice.who["token"])
