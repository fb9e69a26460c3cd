"""The pages from outside: who may see what, what a stranger's words become, and where a browser may be sent."""

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone
from pytest_django import Settings

from signapp import documents as storage
from signapp import errors, urls
from signapp.clients import gateway
from signapp.error_responses import TABLE
from signapp.models import (
    Batch,
    BulkRow,
    BulkSend,
    Document,
    Envelope,
    EnvelopeDocument,
    Event,
    Export,
    ExportPart,
    Invitation,
    Login,
    Recipient,
)
from signapp.services.envelopes.invitations import create_invitation
from signapp.sessions import SessionStore
from signapp.wire import Certificate, CertificateRequest

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])
OPEN = {
    *("home", "login", "signup", "login_callback", "logout", "logged_out", "stopped"),
    *("invitation", "renew_invitation", "backchannel_logout", "start", "started"),
}
POST_ONLY = {
    *("begin_export", "delete_export", "stay", "delete_direct_link"),
    *("logout", "prepare", "approve", "cancel", "add_document", "add_recipient", "remove_document", "remove_recipient"),
    *("discard_envelope", "approve_envelope", "remind", "renew_invitation", "change_passkeys", "identify"),
    *("act_on_envelopes", "resend", "start_bulk", "stop_bulk"),
    *("advance_batch", "approve_batch", "cancel_batch"),
}
COOKIE = next(cookie for prefix, cookie, _ in settings.SESSION_REALMS if prefix == "/")
PDF = b"%PDF-1.7\n% the bytes of a document"
FINGERPRINT = "9F2C 41D7 08B3 E65A 7710 C4FE 2B96 A8D1"
NOW = datetime.now(UTC)
CERTIFICATE = Certificate(
    credential_id="credential-1",
    common_name="Alice Example",
    key_algorithm="rsa-2048",
    status="enabled",
    cert_status="valid",
    valid_from=NOW,
    valid_to=NOW + timedelta(days=365),
    issuer="Paraph",
    serial_number="5A",
    certificate_policy="demonstration",
)


REQUESTS = [
    CertificateRequest(
        credential_id=f"request-{state}",
        description="Alice Example, EC P256, signer",
        state=state,
        reason="The passport has <b>expired</b>\u202e" if state == "refused" else "",
        requested_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )
    for state in ("waiting", "approved", "refused", "expired")
]


def browser_of(subject: str, **options: Any) -> Client:
    """A browser in which this person is logged in."""
    login = Login.objects.create(
        issuer=settings.ISSUER,
        subject=subject,
        email=f"{subject}@example.test",
        name=subject.title(),
        access_token=storage.encrypt_text("token"),
        refresh_token=storage.encrypt_text("refresh"),
        access_expires_at=timezone.now() + timedelta(minutes=14),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    session = SessionStore()
    session["login"] = str(login.pk)
    session.save()
    client = Client(**options)
    client.cookies[COOKIE or ""] = session.session_key or ""
    return client


def document_of(subject: str, **values: Any) -> Document:
    original = storage.store_file(io.BytesIO(PDF))
    known = {"name": "Lease.pdf", "size": 48213, "pages": 3, "sha256": original.sha256, "original": original}
    return Document.objects.create(issuer=settings.ISSUER, subject=subject, **{**known, **values})


@pytest.fixture(autouse=True)
def _this_role_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = "tests.signapp.addresses"
    monkeypatch.setattr(gateway, "list_credentials", lambda **_call: [CERTIFICATE])
    monkeypatch.setattr(gateway, "list_requests", lambda **_call: REQUESTS)
    monkeypatch.setattr(gateway, "delete_job", lambda **_call: None)


def address_of(pattern: URLPattern, one: object) -> str:
    """``one``: identifiers by the names that addresses have for them, or a single one for all of these names."""
    names = one if isinstance(one, dict) else defaultdict(lambda: one)
    return "/" + re.sub(r"<(?:uuid|str):(\w+)>", lambda found: str(names[found[1]]), str(pattern.pattern))


def envelope_of(subject: str, **values: Any) -> Envelope:
    """With one document and one signer, who is somebody else."""
    envelope = Envelope.objects.create(
        issuer=settings.ISSUER, subject=subject, title="Lease of the boathouse", **values
    )
    stored = storage.store_file(io.BytesIO(PDF))
    facts = {"name": "Lease.pdf", "size": stored.size, "pages": 3, "sha256": stored.sha256}
    EnvelopeDocument.objects.create(envelope=envelope, position=1, original=stored, current=stored, **facts)
    Recipient.objects.create(envelope=envelope, name="Carol", email="carol@example.test", state="active")
    return envelope


def bulk_of(subject: str, pattern: Envelope) -> BulkSend:
    """A checked list of one person."""
    bulk = BulkSend.objects.create(
        issuer=settings.ISSUER, subject=subject, title="Lease", file_name="Lease.csv", pattern=pattern
    )
    BulkRow.objects.create(bulk=bulk, line=2, name="Lease", email="lease@example.test")
    return bulk


def batch_of(subject: str) -> Batch:
    batch = Batch.objects.create(issuer=settings.ISSUER, subject=subject, credential_id="credential-1")
    document_of(subject, batch=batch)
    return batch


def export_of(subject: str) -> Export:
    """One that is ready, in one file."""
    expires = timezone.now() + timedelta(days=3)
    known = {"state": "ready", "total": 1, "done": 1, "expires_at": expires}
    export, _made = Export.objects.get_or_create(issuer=settings.ISSUER, subject=subject, defaults=known)
    if not export.parts.exists():
        ExportPart.objects.create(export=export, number=1, file=storage.store_file(io.BytesIO(b"PK")))
    return export


def things_of(subject: str, **values: Any) -> dict[str, object]:
    """One of everything that an address can name."""
    envelope = envelope_of(subject, **values)
    return {
        "document_id": document_of(subject).pk,
        "envelope_id": envelope.pk,
        "part_id": envelope.documents.get().pk,
        "recipient_id": envelope.recipients.get().pk,
        "bulk_id": bulk_of(subject, envelope).pk,
        "template_id": envelope_of(subject, **{**values, "state": "template"}).pk,
        "batch_id": batch_of(subject).pk,
        "export_part_id": export_of(subject).parts.get().pk,
        "secret": "x" * 43,
    }


def everything() -> list[Any]:
    kinds: tuple[Any, ...] = (
        Batch,
        Document,
        Envelope,
        EnvelopeDocument,
        Recipient,
        Event,
        BulkSend,
        BulkRow,
        Export,
        ExportPart,
    )
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


def visit(client: Client, pattern: URLPattern, document_id: object) -> Any:
    method = client.post if pattern.name in POST_ONLY else client.get
    return method(address_of(pattern, document_id))


CLOSED = [pattern for pattern in urls.urlpatterns if pattern.name not in OPEN]
OF_ONE_THING = [pattern for pattern in urls.urlpatterns if "<uuid:" in str(pattern.pattern)]


@pytest.mark.parametrize("pattern", CLOSED, ids=lambda pattern: pattern.name)
def test_nobody_sees_a_page_without_logging_in(pattern: URLPattern) -> None:
    response = visit(Client(), pattern, document_of("alice").pk)
    assert response.status_code == 302
    assert response["Location"].startswith("/login?next=%2F")


def test_there_are_addresses_of_one_thing_to_try() -> None:
    assert len(OF_ONE_THING) >= 21


@pytest.mark.parametrize("state", ["draft", "sent"])
@pytest.mark.parametrize("pattern", OF_ONE_THING, ids=lambda pattern: pattern.name)
def test_what_is_another_persons_is_answered_like_what_does_not_exist(pattern: URLPattern, state: str) -> None:
    bob, things = browser_of("bob"), things_of("alice", state=state)
    before = everything()
    for visit_ in (visit, lambda client, pattern, ids: client.post(address_of(pattern, ids), {"reason": "x"})):
        foreign, unknown = visit_(bob, pattern, things), visit_(bob, pattern, uuid4())
        assert foreign.status_code == unknown.status_code
        assert foreign.status_code in {404, 405}
        assert b"Lease" not in foreign.content
    assert everything() == before


@pytest.mark.parametrize("pattern", OF_ONE_THING, ids=lambda pattern: pattern.name)
def test_what_is_another_persons_is_not_reached_through_ones_own(pattern: URLPattern) -> None:
    foreign, own = things_of("alice", state="draft"), things_of("bob", state="draft")
    visit(browser_of("bob"), pattern, {**foreign, "envelope_id": own["envelope_id"]})
    assert Recipient.objects.filter(pk=foreign["recipient_id"]).exists()
    assert EnvelopeDocument.objects.filter(pk=foreign["part_id"]).exists()


def test_a_part_of_another_envelope_is_not_handed_out_under_ones_own() -> None:
    foreign, own = things_of("alice", state="sent"), things_of("bob", state="sent")
    address = f"/envelopes/{own['envelope_id']}/documents/{foreign['part_id']}"
    assert browser_of("bob").get(address).status_code == 404


@pytest.mark.parametrize("state", [state for state in Envelope.State.values if state not in {"draft", "template"}])
def test_an_envelope_shows_hostile_words_as_text(state: str) -> None:
    envelope = envelope_of(
        "alice", state=state, message="<script>alert(1)</script>", reason="<script>alert(1)</script>"
    )
    envelope.recipients.update(name="<script>alert(1)</script>\u202e")
    Event.objects.create(envelope=envelope, kind="sent", actor="<script>alert(1)</script>")
    page = browser_of("alice").get(f"/envelopes/{envelope.pk}").content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert (
        "Lease of the boathouse"
        in browser_of("alice").get("/envelopes?show=nonsense&page=-1&q=%00lease").content.decode()
    )


@pytest.mark.parametrize(
    "given",
    [
        {"name": "D", "email": "not an address"},
        {"name": "D\r\nBcc: x@example.test", "email": "d@example.test"},
        {"name": "D\u202e", "email": "d@example.test"},
        {"name": "D", "email": "d@example.test\r\nBcc: x@example.test"},
        {"name": "D", "email": "d@example.test", "role": "owner"},
        {"name": "D", "email": "d@example.test", "order": "0"},
        {"name": "D", "email": "d@example.test", "order": "21"},
        {"name": "D", "email": "CAROL@example.test"},
    ],
)
def test_a_person_who_cannot_be_written_to_is_not_added(given: dict[str, str]) -> None:
    envelope = envelope_of("alice")
    body = {"role": "signer", "order": "1", "state": "done", "subject": "mallory", **given}
    response = browser_of("alice").post(f"/envelopes/{envelope.pk}/recipients", body)
    assert response.status_code == 422
    assert envelope.recipients.count() == 1


def test_what_is_not_asked_for_is_not_taken() -> None:
    envelope = envelope_of("alice")
    body = {"name": "D", "email": "d@example.test", "role": "signer", "order": "2"}
    extra = {"state": "done", "subject": "mallory", "issuer": "x", "envelope": str(uuid4())}
    assert browser_of("alice").post(f"/envelopes/{envelope.pk}/recipients", {**body, **extra}).status_code == 302
    added = envelope.recipients.get(email="d@example.test")
    assert (added.state, added.subject) == ("waiting", "")
    sent = {"title": "Lease", "state": "completed", "sender_email": "x@example.test", "expires_at": "2099-01-01"}
    assert browser_of("alice").post(f"/envelopes/{envelope.pk}/edit", sent).status_code == 302
    envelope.refresh_from_db()
    assert (envelope.state, envelope.sender_email) == ("sent", "")


def test_a_link_shows_a_visitor_neither_title_nor_document() -> None:
    envelope = envelope_of("alice", state="sent", sender_name="Alice")
    secret = create_invitation(envelope.recipients.get())
    page = Client().get(f"/invitations/{secret}").content.decode()
    assert "c…@example.test" in page
    assert "Lease" not in page
    assert f"/login?next=%2Finvitations%2F{secret}" in page
    Invitation.objects.update(expires_at=NOW)
    old = Client().get(f"/invitations/{secret}")
    assert old.status_code == 410
    assert "Send a new link to the invited address" in old.content.decode()
    assert Client().post(f"/invitations/{secret}/renew").status_code == 302
    assert Client().get("/invitations/unknown").status_code == 404
    assert Client().post("/invitations/unknown/renew").status_code == 404


def test_documents_are_chosen_named_and_left_out_in_words() -> None:
    alice = browser_of("alice")
    first, second = document_of("alice"), document_of("alice", name="<b>Annex</b>.pdf")
    page = alice.get("/batches/new").content.decode()
    assert (str(first.pk) in page, str(second.pk) in page, "<b>Annex" in page) == (True, True, False)
    form = {"credential_id": "credential-1", "reason": ""}
    assert "Choose the documents" in alice.post("/batches/new", form).content.decode()
    foreign = document_of("bob")
    assert alice.post("/batches/new", {**form, "document": [str(foreign.pk)]}).status_code == 422
    assert not Batch.objects.exists()
    location = alice.post("/batches/new", {**form, "document": [str(first.pk), str(second.pk)]})["Location"]
    assert Batch.objects.get().documents.count() == 2
    Document.objects.filter(pk=second.pk).update(state="failed", error_code="turn_taken")
    Batch.objects.update(state="prepared")
    told = alice.get(location).content.decode()
    assert "1 document is left out" in told
    assert "Approve 1 document" in told
    assert "/advance" not in told


def test_a_batch_moves_by_a_form_of_its_own_page() -> None:
    alice = browser_of("alice", enforce_csrf_checks=True)
    batch = batch_of("alice")
    assert alice.post(f"/batches/{batch.pk}/advance").status_code == 403
    assert f'hx-post="/batches/{batch.pk}/advance"' in alice.get(f"/batches/{batch.pk}").content.decode()


def test_deleting_another_persons_document_deletes_nothing() -> None:
    document = document_of("alice")
    assert browser_of("mallory").post(f"/documents/{document.pk}/delete").status_code == 404
    assert Document.objects.filter(pk=document.pk).exists()


@pytest.mark.parametrize("pattern", CLOSED, ids=lambda pattern: pattern.name)
def test_every_answer_has_a_policy_and_is_kept_by_nobody(pattern: URLPattern) -> None:
    response = visit(browser_of("alice"), pattern, document_of("alice").pk)
    assert response["Content-Security-Policy"]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("state", Document.State.values)
def test_looking_changes_nothing(state: str) -> None:
    alice, document = browser_of("alice"), document_of("alice", state=state, fingerprint=FINGERPRINT)
    before = Document.objects.filter(pk=document.pk).values().get()
    for pattern in CLOSED:
        if pattern.name not in POST_ONLY:
            visit(alice, pattern, document.pk)
    assert Document.objects.filter(pk=document.pk).values().get() == before


@pytest.mark.parametrize("pattern", [p for p in urls.urlpatterns if p.name in POST_ONLY], ids=lambda p: p.name)
def test_what_changes_something_is_posted(pattern: URLPattern) -> None:
    assert browser_of("alice").get(address_of(pattern, document_of("alice").pk)).status_code == 405


def test_a_forged_form_changes_nothing() -> None:
    alice, document = browser_of("alice", enforce_csrf_checks=True), document_of("alice")
    for address in ("prepare", "approve", "cancel", "delete"):
        assert alice.post(f"/documents/{document.pk}/{address}").status_code == 403
    upload = {"document": io.BytesIO(PDF)}
    assert alice.post("/documents", upload).status_code == 403
    things = things_of("alice", state="draft")
    for pattern in urls.urlpatterns:
        if "envelope" in str(pattern.pattern):
            assert alice.post(address_of(pattern, things)).status_code in {403, 405}
    Document.objects.exclude(pk=document.pk).delete()
    assert alice.post("/certificates/new", {"key_algorithm": "rsa-2048"}).status_code == 403
    assert list(Document.objects.values_list("pk", flat=True)) == [document.pk]


@pytest.mark.parametrize("state", Document.State.values)
def test_a_hostile_name_is_only_text(state: str) -> None:
    document = document_of("alice", name="<script>alert(1)</script>\u202efdp.exe", state=state)
    alice = browser_of("alice")
    for address in ("/documents", f"/documents/{document.pk}", f"/documents/{document.pk}/delete"):
        page = alice.get(address).content.decode()
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_hostile_name_stays_inside_its_header() -> None:
    document = document_of("alice", name='a"; filename=evil.html\r\nX-Evil: 1.pdf')
    response = browser_of("alice").get(f"/documents/{document.pk}/file")
    assert "X-Evil" not in response
    assert response["Content-Disposition"].startswith("attachment; ")
    assert "filename=evil" not in response["Content-Disposition"].replace('\\"', "").split('"')[0]


def test_a_document_is_never_a_page_of_this_origin() -> None:
    document = document_of("alice")
    response = browser_of("alice").get(f"/documents/{document.pk}/file")
    assert b"".join(response) == PDF  # type: ignore[call-overload]
    assert response["Content-Type"] == "application/pdf"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("sandbox")
    assert response["Content-Disposition"].startswith("attachment")


def test_a_document_that_is_not_signed_cannot_be_downloaded_as_signed() -> None:
    assert browser_of("alice").get(f"/documents/{document_of('alice').pk}/download").status_code == 409


def test_the_fingerprint_is_shown_once_prepared_and_not_before() -> None:
    alice = browser_of("alice")
    ready = document_of("alice", fingerprint=FINGERPRINT)
    prepared = document_of("alice", fingerprint=FINGERPRINT, state="prepared")
    assert FINGERPRINT not in alice.get(f"/documents/{ready.pk}").content.decode()
    assert FINGERPRINT in alice.get(f"/documents/{prepared.pk}").content.decode()


def test_a_part_that_has_not_changed_is_not_sent_again() -> None:
    alice, document = browser_of("alice"), document_of("alice", state="signing")
    assert alice.get(f"/documents/{document.pk}/state?seen=signing").status_code == 204
    changed = alice.get(f"/documents/{document.pk}/state?seen=approving").content.decode()
    assert 'hx-swap-oob="true"' in changed


def test_a_part_of_a_page_reloads_the_page_when_the_login_has_ended() -> None:
    response = Client().get(f"/documents/{uuid4()}/state", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Refresh"]) == (204, "true")


@pytest.mark.parametrize(
    "wanted", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "///e"]
)
def test_a_certificate_page_sends_nobody_to_another_host(wanted: str) -> None:
    page = browser_of("alice").get("/certificates/new", {"next": wanted}).content.decode()
    assert "evil.test" not in page
    assert "javascript:" not in page


@pytest.mark.parametrize("address", ["/login/callback", "/approval/callback", "/account/identified"])
@pytest.mark.parametrize("query", ["", "?state=x", "?state=x&code=secret-code", "?error=access_denied&state=x"])
def test_an_answer_that_nobody_asked_for_is_a_page_without_the_code(address: str, query: str) -> None:
    alice = browser_of("alice")
    response = alice.get(address + query)
    assert (response.status_code, response["Location"]) == (302, "/stopped")
    page = alice.get("/stopped").content.decode()
    assert "secret-code" not in page
    assert "Log in" in page or "still here" in page or "as it was" in page


def test_a_code_is_not_carried_on_by_a_browser_that_is_not_logged_in() -> None:
    assert Client().get("/approval/callback?code=secret-code&state=x")["Location"] == "/login?next=%2Fdocuments"


@pytest.mark.parametrize("code", sorted(errors.REFUSALS))
def test_a_refused_upload_is_told_beside_its_field(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_given: Any) -> None:
        raise errors.DocumentRefusedError(code)

    monkeypatch.setattr(gateway, "inspect", refuse)
    alice = browser_of("alice")
    page = alice.post("/documents", {"document": io.BytesIO(PDF)})
    answer = alice.post("/documents", {"document": io.BytesIO(PDF)}, headers={"Accept": "application/json"})
    status, _title, sentence = TABLE[code]
    assert (page.status_code, answer.status_code) == (status, status)
    assert 'id="id_document_error"' in page.content.decode()
    assert answer.json() == {"error": code, "error_description": str(sentence)}
    assert not Document.objects.exists()


def test_an_upload_that_is_announced_too_large_is_not_read() -> None:
    response = browser_of("alice").post(
        "/documents", b"x", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=str(10**12)
    )
    assert response.status_code == 413


def every_error(kind: type[errors.SignappError] = errors.SignappError) -> Iterator[type[errors.SignappError]]:
    for child in kind.__subclasses__():
        yield child
        yield from every_error(child)


def test_every_error_and_every_failure_has_its_words() -> None:
    codes = {kind.code for kind in every_error()} | set(errors.REFUSALS) | set(errors.FAILURES)
    assert codes - {"server_error"} <= set(TABLE)


@pytest.mark.parametrize("email", ["", "alice@example.org"])
def test_the_account_page_says_which_address_a_certificate_carries(monkeypatch: pytest.MonkeyPatch, email: str) -> None:
    monkeypatch.setattr(gateway, "list_credentials", lambda **_call: [replace(CERTIFICATE, email=email)])
    page = browser_of("alice").get("/account").content.decode()
    assert "nobody has checked this name" in page
    assert f'href="{settings.ISSUER}/passkeys">Confirm your address' in page or email
    assert ("None in it" in page) is not bool(email)
    assert f"<dd>{email}</dd>" in page or not email


def test_the_account_page_says_where_requests_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    page = browser_of("alice").get("/account").content.decode()
    for words in ("Waiting for approval", "Being issued", "Refused", "Expired", "You can ask again"):
        assert words in page
    assert "The passport has &lt;b&gt;expired&lt;/b&gt;\ufffd" in page
    assert page.count("Decided by") == 2
    monkeypatch.setattr(gateway, "list_requests", lambda **_call: [])
    assert "Waiting for approval" not in browser_of("alice").get("/account").content.decode()

    def gone(**_call: Any) -> Any:
        raise errors.ServiceUnavailableError

    monkeypatch.setattr(gateway, "list_requests", gone)
    assert browser_of("alice").get("/account").status_code == 200
