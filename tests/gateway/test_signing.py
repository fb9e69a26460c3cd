"""A document's way from upload to signed file, as a client of the API walks it."""

import base64
import hashlib
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import cms
from django.conf import settings
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.models import Job, StoredDocument
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs

Work = Callable[[str], None]


def _sign(user: User, remote: Remote, work: Work, pdf: bytes, credential_id: str) -> bytes:
    job_id = user.open_job(pdf).json()["job_id"]
    prepared = user.prepare(job_id, credential_id, reason="I agree", location="Lyon")
    assert prepared.status_code == 200, prepared.content
    url = user.ask(job_id).json()["authorization_url"]
    assert user.complete(job_id, remote.approve(url, user.subject)).status_code == 202
    work(job_id)
    assert user.job(job_id)["state"] == "signed", user.job(job_id)
    return user.download(job_id)


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("rsa", None),
        ("rsa", ["1.2.840.113549.1.1.1"]),
        ("rsa", ["1.2.840.113549.1.1.10"]),
        ("p256", None),
        ("p384", ["1.2.840.10045.4.3.2"]),
        ("p384", None),
    ],
)
@pytest.mark.parametrize("make", [lambda: pdfs.make_pdf(pages=3), pdfs.make_xref_stream_pdf, pdfs.make_hybrid_pdf])
def test_a_signed_document_satisfies_independent_validators(
    alice: User,
    remote: Remote,
    work: Work,
    tmp_path: Path,
    make: Callable[[], bytes],
    kind: str,
    algorithms: list[str] | None,
) -> None:
    pdf = make()
    signed = _sign(alice, remote, work, pdf, remote.add_credential(alice.subject, kind, algorithms=algorithms))

    assert signed.startswith(pdf)
    assert len(signed) > len(pdf)
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    report = subprocess.run(["pdfsig", path], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid." in report
    assert "Total document signed" in report
    assert "Not total document signed" not in report
    assert "ETSI.CAdES.detached" in report
    assert subprocess.run(["qpdf", "--check", path], capture_output=True, check=False).returncode == 0


def test_signed_attributes_are_those_of_pades_and_are_embedded_byte_for_byte(
    alice: User, remote: Remote, work: Work, credential_id: str
) -> None:
    job_id = alice.open_job().json()["job_id"]
    digest = alice.prepare(job_id, credential_id).json()["digest"]
    stored = bytes(Job.objects.get(pk=job_id).signed_attributes)
    url = alice.ask(job_id).json()["authorization_url"]
    alice.complete(job_id, remote.approve(url, alice.subject))
    work(job_id)
    (signature,) = PdfFileReader(io.BytesIO(alice.download(job_id))).embedded_signatures
    signer_info = signature.signed_data["signer_infos"][0]
    attributes = signer_info["signed_attrs"]

    assert attributes.untag().dump() == stored
    assert base64.b64decode(digest) == hashlib.sha256(stored).digest()
    kinds = {attribute["type"].native for attribute in attributes}
    assert kinds == {"content_type", "message_digest", "signing_certificate_v2"}
    assert "/M" in signature.sig_object
    certificates = [cms.Certificate.load(choice.chosen.dump()) for choice in signature.signed_data["certificates"]]
    assert len(certificates) == 1


def test_an_earlier_signature_stays_valid_under_the_new_one(
    alice: User, remote: Remote, work: Work, credential_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "signed.pdf"
    path.write_bytes(_sign(alice, remote, work, pdfs.make_signed_pdf(), credential_id))
    report = subprocess.run(["pdfsig", path], capture_output=True, text=True, check=False).stdout
    assert report.count("Signature is Valid.") == 2


def test_a_certified_document_that_allows_signing_is_signed(
    alice: User, remote: Remote, work: Work, credential_id: str
) -> None:
    assert _sign(alice, remote, work, pdfs.make_certified_pdf(allow_changes=True), credential_id)


def test_the_pushed_request_says_what_the_signer_will_see(
    alice: User, remote: Remote, prepared: str, credential_id: str
) -> None:
    answer = alice.ask(prepared).json()
    (form,) = remote.pushed.values()
    (details,) = json.loads(form["authorization_details"])
    job = alice.job(prepared)
    assert details["documentDigests"] == [{"hash": job["digest"], "label": job["label"], "hashType": "dtbsr"}]
    assert details["credentialID"] == credential_id
    assert details["credentialLabel"].startswith("Alice Example, RSA 2048, valid until ")
    assert job["label"] == "Lease.pdf (3 pages, 1 kB)"
    assert job["state"] == "authorizing"
    assert answer["expires_in"] == 60
    assert answer["authorization_url"].startswith(f"{settings.ISSUER}/oauth2/authorize?client_id=paraph-gateway&")
    assert "Lease" not in answer["authorization_url"]


def test_after_signing_the_document_and_what_was_added_is_kept(
    alice: User, approved: str, work: Work, documents_folder: Path
) -> None:
    # The folder is set after the job was made, so the job's own files are moved along.
    job = Job.objects.get(pk=approved)
    documents_folder.mkdir()
    for stored in (job.original, job.prepared):
        name = f"{stored.pk}.age"
        (documents_folder / name).write_bytes((settings.VAR_DIR / "gateway-documents" / name).read_bytes())
    work(approved)
    job.refresh_from_db()
    kept = {job.original.pk, job.signed.pk}
    assert {path.name for path in documents_folder.iterdir()} == {f"{pk}.age" for pk in kept}
    assert set(StoredDocument.objects.values_list("pk", flat=True)) == kept
    assert job.prepared is None
    assert job.document_size + job.signed.size == job.signed_size
    assert job.token == ""


def test_the_result_is_an_attachment_that_nobody_caches(alice: User, approved: str, work: Work) -> None:
    work(approved)
    response = alice.call("GET", f"jobs/{approved}/result")
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="Lease-signed.pdf"'
    assert response["Cache-Control"] == "no-store"
    assert int(response["Content-Length"]) == alice.job(approved)["signed"]["size"]


def test_a_task_message_holds_the_job_id_alone(alice: User, approved: str) -> None:
    queue = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"])
    messages = [json.loads(path.read_text()) for path in queue.iterdir()]
    bodies = [base64.b64decode(message["body"]).decode() for message in messages]
    mine = [body for body in bodies if approved in body]
    assert len(mine) == 1
    assert json.loads(mine[0])[0] == [approved]
    assert "approval-" not in str(messages)
    assert "code-" not in str(messages)


@pytest.mark.parametrize("make", [pdfs.make_pdf, pdfs.make_xref_stream_pdf, pdfs.make_hybrid_pdf, pdfs.make_signed_pdf])
def test_pages_look_the_same_before_and_after(
    alice: User, remote: Remote, work: Work, credential_id: str, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    pictures = []
    for name, data in (("before", make()), ("after", _sign(alice, remote, work, make(), credential_id))):
        (tmp_path / f"{name}.pdf").write_bytes(data)
        command = ["pdftoppm", "-r", "40", tmp_path / f"{name}.pdf"]
        pictures.append(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(pictures[0]) > 1000
    assert pictures[0] == pictures[1]
