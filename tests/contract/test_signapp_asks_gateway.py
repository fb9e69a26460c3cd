"""The signature application's own client against the gateway itself, which has a stand-in beyond it."""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings

from config.application import application
from config.transport import GuardedTransport, InProcessTransport
from gateway.models import StoredDocument
from gateway.services import signing as gateway_signing
from signapp import errors
from signapp.models import Document, Login
from signapp.services import approvals, documents, signing
from signapp.services.logins import Account
from signapp.sessions import SessionStore
from tests.gateway import remote as beyond
from tests.support import pdfs

pytestmark = pytest.mark.django_db(
    databases=["default", *{"gateway", "signapp"} & set(django_settings.DATABASES)], transaction=True
)


def transport_for(address: str) -> httpx.BaseTransport:
    """The gateway in this process; everything that it asks, at the stand-in."""
    if address == django_settings.GATEWAY_API_URL:
        return GuardedTransport(InProcessTransport(application))
    return beyond.transport_for(address)


@pytest.fixture
def who(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    settings.CLIENT_TRANSPORT = f"{__name__}.transport_for"
    settings.SIGNAPP_DOCUMENTS_DIR, settings.GATEWAY_DOCUMENTS_DIR = tmp_path / "library", tmp_path / "jobs"
    monkeypatch.setattr(beyond, "current", beyond.Remote())
    subject = str(uuid.uuid4())
    account = Account(settings.ISSUER, subject, "alice@example.org", "Alice", is_operator=False)
    return {"account": account, "token": beyond.current.log_in(subject)}


def upload(who: dict[str, Any], pdf: bytes) -> Document:
    return documents.add_document(**who, upload=io.BytesIO(pdf), name="Lease “1”\u202e.pdf", size=len(pdf))


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(errors.DocumentRefusedError) as found:
        yield
    assert found.value.code == code


@pytest.mark.parametrize(
    ("body", "code"), [(b"hello", "not_a_pdf"), (b"", "empty_document"), (b"%PDF-1.7\nnothing", "damaged_pdf")]
)
def test_a_refusal_arrives_with_its_name(who: dict[str, Any], body: bytes, code: str) -> None:
    with refused(code):
        upload(who, body)
    assert not Document.objects.exists()


def test_a_token_that_ended_asks_for_a_login(who: dict[str, Any]) -> None:
    with pytest.raises(errors.LoginRequiredError):
        upload(who | {"token": "ended"}, pdfs.make_pdf(pages=1))


def test_a_certificate_that_is_not_hers_cannot_be_used(who: dict[str, Any]) -> None:
    document = upload(who, pdfs.make_pdf(pages=1))
    foreign = beyond.current.add_credential("bob")
    with pytest.raises(errors.CertificateNotUsableError):
        signing.prepare_signature(**who, document_id=document.pk, credential_id=foreign)
    assert documents.find_document(account=who["account"], document_id=document.pk).state == "ready"


def test_a_document_goes_all_the_way_and_the_gateway_forgets_it(who: dict[str, Any]) -> None:
    pdf = pdfs.make_pdf(pages=3)
    document = upload(who, pdf)
    assert (document.pages, document.name) == (3, "Lease “1”.pdf")
    assert not StoredDocument.objects.exists()
    credential_id = beyond.current.add_credential(who["account"].subject)
    chosen = {"document_id": document.pk, "credential_id": credential_id, "reason": "I agree"}
    first = signing.prepare_signature(**who, **chosen)
    prepared = signing.prepare_signature(**who, **chosen)
    assert first.document.job_id == prepared.document.job_id
    assert prepared.credential == "Alice Example"
    assert prepared.label.startswith("Lease “1”.pdf (3 pages, ")
    session = SessionStore()
    session.create()
    url = signing.begin_approval(**who, session=session, document_id=document.pk)
    (form,) = beyond.current.pushed.values()
    query = {
        "state": form["state"],
        "code": beyond.current.approve(url, who["account"].subject),
        "iss": django_settings.ISSUER,
        "error": "",
    }
    for _ in range(2):
        done = approvals.complete(session=session, **who, **query)
        assert done.document is not None
        assert done.document.state == "signing"
    gateway_signing.run_job(job_id=done.document.job_id)
    signed = signing.refresh_document(**who, document_id=document.pk)
    assert signed.state == "signed"
    with documents.open_signed(account=who["account"], document_id=document.pk) as file:
        assert file.read().startswith(pdf)
    assert not StoredDocument.objects.exists()
    assert not Login.objects.exists()
