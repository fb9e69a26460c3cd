"""Encrypted PDFs: signed with their password, encrypted as before, and refused by name (yardstick G3)."""

import base64
import logging
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from gateway.clients import sources as fetching
from gateway.models import Archive, Job, PasswordTry, StoredDocument
from gateway.pades.raster import compare_pages
from gateway.services import passwords
from gateway.services.archives import renew_archives
from gateway.services.sweeping import sweep_jobs
from tests.gateway import remote as remote_side
from tests.gateway.conftest import ALIAS, User
from tests.gateway.remote import Remote
from tests.support import pdfs
from tests.support.authority import Authority

Work = Callable[[str], None]
PASSWORD = "sëcret"
PKI = "http://localhost:8000/pki"
PLAIN = pdfs.make_pdf(pages=2)


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """Its certificates say where their status is told."""
    settings.CLIENT_TRANSPORT = "tests.gateway.remote.transport_for"
    fresh = Remote(authority=Authority(responder=f"{PKI}/ocsp", revocation_list=f"{PKI}/crl"))
    monkeypatch.setattr(remote_side, "current", fresh)
    fetching.forget()
    return fresh


def header(password: str) -> dict[str, str]:
    return {"HTTP_DOCUMENT_PASSWORD": f":{base64.b64encode(password.encode()).decode()}:"}


def make_encrypted(cipher: str = "AES-256", pdf: bytes = PLAIN, **arguments: str) -> bytes:
    # qpdf takes an older handler's password byte for byte, which is PDFDocEncoding in none but ASCII.
    arguments.setdefault("user", PASSWORD if cipher.startswith("AES-256") else "secret")
    return pdfs.encrypt_pdf(pdf, cipher, **arguments)


def sign(user: User, remote: Remote, work: Work, pdf: bytes, password: str, **members: Any) -> bytes:
    opened = user.open_job(pdf, **header(password))
    assert opened.status_code == 201, opened.content
    job_id = opened.json()["job_id"]
    prepared = user.prepare(job_id, remote.add_credential(user.subject, "p256"), **members)
    assert prepared.status_code == 200, prepared.content
    url = user.ask(job_id).json()["authorization_url"]
    assert user.complete(job_id, remote.approve(url, user.subject)).status_code == 202
    work(job_id)
    assert user.job(job_id)["state"] == "signed", user.job(job_id)
    return user.download(job_id)


def check(path: Path, password: str, signatures: int, plain: bytes = PLAIN) -> None:
    """By qpdf and poppler, which does not verify document time-stamps; the text is that of before."""
    checked = subprocess.run(["qpdf", "--check", f"--password={password}", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    said = subprocess.run(["pdfsig", "-nocert", "-upw", password, path], capture_output=True, text=True).stdout
    assert said.count("Signature is Valid.") == signatures, said
    assert subprocess.run(["qpdf", "--check", path], capture_output=True).returncode == (2 if password else 0)
    without = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True)
    assert ("Lease" in without.stdout) == (not password)
    assert b"Lease agreement" not in path.read_bytes()
    text = subprocess.run(["pdftotext", "-upw", password, path, "-"], capture_output=True, text=True).stdout
    (path.parent / "plain.pdf").write_bytes(plain)
    assert text == subprocess.run(["pdftotext", path.parent / "plain.pdf", "-"], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("cipher", "level"),
    [("RC4-40", "B-B"), ("RC4-128", "B-T"), ("AES-128", "B-LT"), ("AES-256", "B-LTA"), ("AES-256-R5", "B-LTA")],
)
def test_it_is_signed_at_every_level_and_stays_encrypted(
    alice: User, remote: Remote, work: Work, tmp_path: Path, cipher: str, level: str
) -> None:
    pdf = make_encrypted(cipher)
    password = PASSWORD if cipher.startswith("AES-256") else "secret"
    facts = alice.call("POST", "inspections", pdf, **header(password)).json()
    named = cipher.removesuffix("-R5")
    assert (facts["encryption"], facts["password_required"], facts["pages"]) == (named, True, 2)
    signed = sign(alice, remote, work, pdf, password, level=level)
    assert signed.startswith(pdf)
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    check(path, password, 1)
    again = alice.call("POST", "inspections", signed, **header("owner")).json()
    assert (again["encryption"], again["signatures"]) == (named, 2 if level == "B-LTA" else 1)


def test_a_second_signature_keeps_the_first_and_the_encryption(
    alice: User, bob: User, remote: Remote, work: Work, tmp_path: Path
) -> None:
    first = sign(alice, remote, work, make_encrypted(), PASSWORD, level="B-B")
    second = sign(bob, remote, work, first, PASSWORD, level="B-B")
    assert second.startswith(first)
    path = tmp_path / "signed.pdf"
    path.write_bytes(second)
    check(path, PASSWORD, 2)


def test_what_only_the_owners_password_protects_is_read_without_one(
    alice: User, remote: Remote, work: Work, tmp_path: Path
) -> None:
    pdf = make_encrypted(user="")
    facts = alice.call("POST", "inspections", pdf).json()
    assert (facts["encryption"], facts["password_required"]) == ("AES-256", False)
    path = tmp_path / "signed.pdf"
    path.write_bytes(sign(alice, remote, work, pdf, "", level="B-LT"))
    check(path, "", 1)


@pytest.mark.parametrize("cipher", ["RC4-40", "RC4-128", "AES-256"])
def test_what_the_owner_does_not_permit_takes_the_owners_password(alice: User, cipher: str) -> None:
    pdf = make_encrypted(cipher, modify="n" if cipher == "RC4-40" else "annotate")
    answer = alice.call("POST", "inspections", pdf, **header(PASSWORD if cipher.startswith("AES-256") else "secret"))
    assert (answer.status_code, answer.json()["error"]) == (422, "signing_not_permitted")
    assert alice.call("POST", "inspections", pdf, **header("owner")).status_code == 200


def test_where_fields_may_be_filled_one_that_is_there_is_signed(alice: User, remote: Remote, work: Work) -> None:
    objects = pdfs.document_objects()
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>"
    objects[4] = objects[4].replace(b"/Contents", b"/Annots [6 0 R] /Contents")
    objects[6] = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Signer) /Rect [0 0 0 0] /P 4 0 R /F 132 >>"
    plain = pdfs.assemble(objects)
    pdf = make_encrypted(pdf=plain, modify="form")
    job_id = alice.open_job(pdf, **header(PASSWORD)).json()["job_id"]
    credential_id = remote.add_credential(alice.subject, "p256")
    assert alice.prepare(job_id, credential_id).json()["error"] == "signing_not_permitted"
    assert sign(alice, remote, work, pdf, PASSWORD, level="B-B", field="Signer")
    none = make_encrypted(pdf=plain, modify="none")
    assert alice.open_job(none, **header(PASSWORD)).json()["error"] == "signing_not_permitted"


@pytest.mark.parametrize(("user", "given", "pages"), [(PASSWORD, PASSWORD, 2), (PASSWORD, "", 0), ("", "", 2)])
def test_pages_are_compared_under_the_password(tmp_path: Path, user: str, given: str, pages: int) -> None:
    path = tmp_path / "source.pdf"
    path.write_bytes(make_encrypted(user=user))
    with path.open("r+b") as file:
        assert compare_pages(file, path.stat().st_size, (), given) == pages


@pytest.mark.parametrize("path", ["inspections", "jobs"])
def test_without_or_with_a_wrong_password_it_is_refused_by_name_and_not_kept(
    alice: User, documents_folder: Path, path: str
) -> None:
    pdf = make_encrypted()
    refused = {"": "password_required", "secret": "password_wrong", "☃" * 127: "password_wrong"}
    for password, code in refused.items():
        answer = alice.call("POST", path, pdf, **(header(password) if password else {}))
        assert (answer.status_code, answer.json()["error"]) == (422, code)
    old = make_encrypted("RC4-128")
    assert alice.call("POST", path, old, **header("☃")).json()["error"] == "password_wrong"
    assert not StoredDocument.objects.exists()
    assert not documents_folder.exists() or not list(documents_folder.iterdir())


@pytest.mark.parametrize(
    "value", ["secret", ":c2VjcmV0", ":c2Vj cmV0:", ":////:", ":AA==:", f":{base64.b64encode(b'a' * 128).decode()}:"]
)
def test_a_header_that_holds_no_password_is_refused(alice: User, value: str) -> None:
    answer = alice.call("POST", "inspections", make_encrypted(), HTTP_DOCUMENT_PASSWORD=value)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert not PasswordTry.objects.exists()


def test_so_many_wrong_passwords_and_no_more(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MOST_WRONG", 2)
    pdf = make_encrypted()
    for password in (PASSWORD, "guess", PASSWORD, "guess again"):
        answer = alice.call("POST", "inspections", pdf, **header(password))
        assert answer.status_code == (200 if password == PASSWORD else 422)
    for password in ("guess 3", PASSWORD):
        answer = alice.call("POST", "jobs", pdf, **header(password))
        assert (answer.status_code, answer.json()["error"]) == (429, "too_many_passwords")
        assert answer["Retry-After"]
    assert bob.call("POST", "inspections", pdf, **header(PASSWORD)).status_code == 200
    assert alice.call("POST", "inspections", PLAIN).status_code == 200
    PasswordTry.objects.update(tried_at=timezone.now() - timedelta(minutes=10, seconds=1))
    assert alice.call("POST", "inspections", pdf, **header(PASSWORD)).status_code == 200
    sweep_jobs()
    assert not PasswordTry.objects.exists()


def test_another_encryption_is_refused_by_name(alice: User, remote: Remote) -> None:
    identity = remote.credentials[remote.add_credential(alice.subject)].identity
    others = {
        "for a certificate": pdfs.make_pdf_for_a_certificate(identity.certificate),
        "sealed": pdfs.make_encrypted_pdf(PASSWORD, pdf_mac=True),
        "in Galois/Counter mode": pdfs.make_encrypted_pdf(PASSWORD, use_gcm=True),
        "of a later revision": make_encrypted().replace(b" /R 6 ", b" /R 8 "),
        "somebody's own": make_encrypted().replace(b"/Filter /Standard", b"/Filter /Nobodys "),
    }
    codes = {name: alice.call("POST", "jobs", pdf, **header(PASSWORD)).json()["error"] for name, pdf in others.items()}
    assert codes == dict.fromkeys(others, "encryption_unsupported")


@pytest.mark.parametrize("cipher", ["AES-256", "AES-256-R5"])
def test_permissions_that_are_not_those_that_were_sealed_are_refused(alice: User, cipher: str) -> None:
    pdf = make_encrypted(cipher, modify="none")
    assert alice.call("POST", "jobs", pdf, **header(PASSWORD)).json()["error"] == "signing_not_permitted"
    found = re.search(rb"/P -(\d+)", pdf)
    assert found is not None
    widened = pdf.replace(found[0], b"/P -" + b"4".rjust(len(found[1]), b"0"))
    answer = alice.call("POST", "jobs", widened, **header(PASSWORD))
    assert (answer.status_code, answer.json()["error"]) == (422, "damaged_pdf")


def test_the_password_is_sealed_lives_with_the_documents_and_is_written_nowhere(
    alice: User, remote: Remote, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "canary-Zb7!pass"
    sign(alice, remote, work, make_encrypted(user=secret), secret, level="B-B")
    alice.call("POST", "inspections", make_encrypted(), **header(secret + "x"))
    assert secret not in caplog.text
    assert base64.b64encode(secret.encode()).decode() not in caplog.text
    job = Job.objects.select_related("original", "signed").get()
    assert [bool(each.wrapped_password) for each in (job.original, job.signed)] == [True, False]
    with connections[ALIAS].cursor() as cursor:
        for table in connections[ALIAS].introspection.table_names():
            if table.startswith("gateway_"):
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  (names of our own tables)
                assert secret not in str(cursor.fetchall())
    Job.objects.update(expires_at=timezone.now())
    sweep_jobs()
    assert not StoredDocument.objects.exists()


def test_a_password_for_what_has_none_is_not_kept(alice: User) -> None:
    assert alice.open_job(PLAIN, **header(PASSWORD)).status_code == 201
    assert StoredDocument.objects.get().wrapped_password == ""


def test_an_encrypted_document_is_archived_and_renewed(alice: User, remote: Remote, work: Work, tmp_path: Path) -> None:
    signed = sign(alice, remote, work, make_encrypted(), PASSWORD, level="B-T")
    assert alice.call("POST", "archives", signed).json()["error"] == "password_required"
    assert alice.call("POST", "archives", signed, **header("x")).json()["error"] == "password_wrong"
    kept = alice.call("POST", "archives", signed, **header(PASSWORD))
    assert kept.status_code == 201, kept.content
    Archive.objects.update(next_renewal_at=timezone.now())
    assert renew_archives() == 1
    answer = alice.call("GET", f"archives/{kept.json()['archive_id']}/document")
    path = tmp_path / "archived.pdf"
    path.write_bytes(b"".join(answer.streaming_content))
    check(path, PASSWORD, 1)
