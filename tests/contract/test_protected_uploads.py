"""Encrypted and damaged PDFs from signapp's library to the gateway and back, without anything of the password left."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from gateway.models import PasswordTry
from gateway.models import StoredDocument as GatewayDocument
from gateway.services import passwords
from gateway.services import signing as gateway_signing
from signapp import errors
from signapp.models import Document, StoredFile
from signapp.services import approvals, documents, signing
from signapp.sessions import SessionStore
from tests.contract.test_signapp_asks_gateway import refused, who
from tests.gateway import remote as beyond
from tests.gateway.test_repairs import cut_references, make_xfa_pdf
from tests.support import pdfs

__all__ = ["who"]  # the fixture
pytestmark = pytest.mark.django_db(
    databases=["default", *{"gateway", "signapp"} & set(django_settings.DATABASES)], transaction=True
)
PASSWORD = "sëcret"


def upload(who: dict[str, Any], pdf: bytes, **wish: Any) -> Document:
    return documents.add_document(**who, upload=io.BytesIO(pdf), name="Lease.pdf", size=len(pdf), **wish)


def sign(who: dict[str, Any], document: Document) -> Document:
    credential_id = beyond.current.add_credential(who["account"].subject)
    signing.prepare_signature(**who, document_id=document.pk, credential_id=credential_id)
    session = SessionStore()
    session.create()
    url = signing.begin_approval(**who, session=session, document_id=document.pk)
    (form,) = beyond.current.pushed.values()
    code = beyond.current.approve(url, who["account"].subject)
    query = {"state": form["state"], "code": code, "iss": django_settings.ISSUER, "error": ""}
    done = approvals.complete(session=session, **who, **query)
    assert done.document is not None
    assert done.document.job_id is not None
    gateway_signing.run_job(job_id=done.document.job_id)
    return signing.refresh_document(**who, document_id=document.pk)


def test_an_encrypted_document_is_signed_and_stays_encrypted(
    who: dict[str, Any], tmp_path: Path, settings: Any
) -> None:
    settings.SIGNATURE_LEVEL = "B-T"
    pdf = pdfs.encrypt_pdf(pdfs.make_pdf(pages=2), "AES-256", user=PASSWORD)
    with refused("password_required"):
        upload(who, pdf)
    with refused("password_wrong"):
        upload(who, pdf, password="secret")
    document = upload(who, pdf, password=PASSWORD)
    assert (document.pages, document.encryption) == (2, "AES-256")
    signed = sign(who, document)
    assert signed.state == "signed"
    path = tmp_path / "signed.pdf"
    with documents.open_signed(account=who["account"], document_id=document.pk) as file:
        path.write_bytes(file.read())
    assert path.read_bytes().startswith(pdf)
    said = subprocess.run(["pdfsig", "-nocert", "-upw", PASSWORD, path], capture_output=True, text=True).stdout
    assert "Signature is Valid." in said
    assert subprocess.run(["qpdf", "--check", path], capture_output=True).returncode == 2
    for stored in StoredFile.objects.all():
        assert stored.wrapped_password
        assert PASSWORD not in stored.wrapped_password
    assert not GatewayDocument.objects.exists()
    documents.delete_document(**who, document_id=document.pk)
    assert not StoredFile.objects.exists()


def test_the_password_of_a_document_that_takes_none_is_not_kept(who: dict[str, Any]) -> None:
    upload(who, pdfs.make_pdf(), password=PASSWORD)
    assert StoredFile.objects.get().wrapped_password == ""


def test_passwords_cannot_be_tried_for_long(who: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MOST_WRONG", 1)
    pdf = pdfs.encrypt_pdf(pdfs.make_pdf(), "AES-256")
    with refused("password_wrong"):
        upload(who, pdf, password="guess")
    with pytest.raises(errors.TooManyPasswordsError):
        upload(who, pdf, password="secret")
    assert PasswordTry.objects.count() == 1
    assert not StoredFile.objects.exists()


def test_a_damaged_document_is_repaired_only_if_that_is_asked_for(who: dict[str, Any]) -> None:
    pdf = cut_references(pdfs.make_pdf(pages=2))
    with refused("repairable_pdf"):
        upload(who, pdf)
    document = upload(who, pdf, repair=True)
    assert (document.pages, document.repairs) == (2, "cross_references")
    with documents.open_original(account=who["account"], document_id=document.pk) as file:
        kept = file.read()
    assert kept != pdf
    assert document.size == len(kept)
    assert sign(who, document).state == "signed"


def test_what_needs_no_repair_is_kept_as_it_is(who: dict[str, Any]) -> None:
    pdf = pdfs.make_pdf()
    document = upload(who, pdf, repair=True)
    assert document.repairs == ""
    with documents.open_original(account=who["account"], document_id=document.pk) as file:
        assert file.read() == pdf


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: pdfs.make_signed_pdf() + b"x" * 1500, "repair_breaks_signatures"),
        (lambda: make_xfa_pdf(b"/NeedsRendering true"), "damaged_pdf"),
        (lambda: pdfs.encrypt_pdf(pdfs.make_pdf(), "AES-256"), "password_required"),
    ],
)
def test_what_cannot_be_repaired_is_refused_by_name(who: dict[str, Any], make: Callable[[], bytes], code: str) -> None:
    with refused(code):
        upload(who, make(), repair=True)
    assert not StoredFile.objects.exists()


def test_what_comes_back_too_large_is_not_kept(who: dict[str, Any], settings: Any) -> None:
    pdf = cut_references(pdfs.make_pdf())
    settings.MAX_DOCUMENT_BYTES = len(pdf)
    with refused("document_too_large"):
        upload(who, pdf, repair=True)
    assert not StoredFile.objects.exists()
