"""Bodies and headers of uploads: sizes, lengths, names, repetition."""

import errno
import io
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIRequest

from gateway import documents
from gateway.errors import DocumentTooLargeError, GatewayError, InvalidRequestError
from gateway.models import Job, StoredDocument
from gateway.views.endpoint import receive_pdf
from tests.gateway.conftest import User
from tests.support import pdfs


def _request(body: bytes, length: str | None) -> WSGIRequest:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "wsgi.input": io.BytesIO(body)}
    environ["CONTENT_TYPE"] = "application/pdf"
    if length is not None:
        environ["CONTENT_LENGTH"] = length
    return WSGIRequest(environ)


def _nothing_left(folder: Path) -> bool:
    return not any(path for path in folder.parent.rglob("*") if path.is_file())


def test_one_byte_more_than_allowed_is_too_large(alice: User, settings: object, documents_folder: Path) -> None:
    pdf = pdfs.make_pdf()
    settings.MAX_DOCUMENT_BYTES = len(pdf)  # type: ignore[attr-defined]
    assert alice.call("POST", "inspections", pdf).status_code == 200
    response = alice.call("POST", "jobs", pdf + b"\n")
    assert (response.status_code, response.json()["error"]) == (413, "document_too_large")
    assert _nothing_left(documents_folder)


@pytest.mark.parametrize(
    ("length", "error"),
    [
        (None, InvalidRequestError),
        ("", InvalidRequestError),
        ("-1", InvalidRequestError),
        ("abc", InvalidRequestError),
        ("²", InvalidRequestError),
        ("100000", InvalidRequestError),
        (str(10**12), DocumentTooLargeError),
    ],
)
def test_a_body_whose_length_is_not_what_was_announced_is_refused(
    length: str | None, error: type[GatewayError], documents_folder: Path
) -> None:
    with pytest.raises(error):
        receive_pdf(_request(pdfs.make_pdf(), length))
    assert _nothing_left(documents_folder)


def test_a_large_body_is_streamed_although_the_memory_limit_is_small(alice: User, settings: object) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024  # type: ignore[attr-defined]
    objects = pdfs.document_objects()
    objects[6] = pdfs.stream_object(bytes(3_000_000))
    assert alice.call("POST", "inspections", pdfs.assemble(objects)).status_code == 200


def test_a_body_of_another_type_is_refused(alice: User) -> None:
    assert alice.call("POST", "jobs", {"document": "x"}).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=UTF-8''Lease.pdf", "Lease.pdf"),
        ("attachment; filename*=UTF-8''B%C3%A9ton%20arm%C3%A9.pdf", "Béton armé.pdf"),
        ('attachment; filename="old.pdf"', "old.pdf"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''..%5C..%5Cwin.pdf", "win.pdf"),
        ("attachment; filename*=UTF-8''a%00b.pdf", "ab.pdf"),
        ("attachment; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x.pdf", "aSet-Cookie: x.pdf"),
        ("attachment; filename*=UTF-8''lease%E2%80%AEfdp.exe", "leasefdp.exe"),
        ("attachment; filename*=UTF-8''%FF%FE.pdf", "pdf"),
        (
            "attachment; filename*=UTF-8''%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
            '"><img src=x onerror=alert(1)>',
        ),
        ("attachment; filename*=UTF-8''.hidden", "hidden"),
        ("attachment; filename*=UTF-8''..", "document.pdf"),
        ("attachment; filename*=UTF-8''", "document.pdf"),
        ("attachment", "document.pdf"),
        ("", "document.pdf"),
        ("attachment; filename*=UTF-8''" + "a" * 4000 + ".pdf", "a" * 99 + "…" + "a" * 16 + ".pdf"),
    ],
)
def test_a_files_name_is_only_ever_a_harmless_name(alice: User, disposition: str, name: str) -> None:
    response = alice.call("POST", "jobs", pdfs.make_pdf(), HTTP_CONTENT_DISPOSITION=disposition)
    assert response.status_code == 201
    assert response.json()["document"]["name"] == name
    assert response.json()["label"] == f"{name} (1 page, 624 B)"


def test_the_same_key_and_document_open_one_job(alice: User) -> None:
    first = alice.open_job(HTTP_IDEMPOTENCY_KEY="k1").json()
    again = alice.open_job(HTTP_IDEMPOTENCY_KEY="k1").json()
    assert first["job_id"] == again["job_id"]
    assert StoredDocument.objects.count() == 1


def test_the_same_key_with_another_document_is_refused(alice: User) -> None:
    alice.open_job(HTTP_IDEMPOTENCY_KEY="k1")
    response = alice.open_job(pdfs.make_pdf(pages=2), HTTP_IDEMPOTENCY_KEY="k1")
    assert (response.status_code, response.json()["error"]) == (422, "idempotency_key_reused")


def test_keys_of_two_users_do_not_meet(alice: User, bob: User) -> None:
    assert (
        alice.open_job(HTTP_IDEMPOTENCY_KEY="k1").json()["job_id"]
        != bob.open_job(HTTP_IDEMPOTENCY_KEY="k1").json()["job_id"]
    )


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb"])
def test_a_misshapen_key_is_refused(alice: User, key: str) -> None:
    assert alice.open_job(HTTP_IDEMPOTENCY_KEY=key).status_code == 400
    assert not Job.objects.exists()


def test_a_full_disk_is_told_apart_and_leaves_nothing(
    alice: User, documents_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(documents.os, "fsync", full)
    response = alice.open_job()
    assert (response.status_code, response.json()["error"]) == (507, "storage_full")
    assert _nothing_left(documents_folder)
    assert not Job.objects.exists()


def test_documents_on_disk_are_encrypted(alice: User) -> None:
    job = Job.objects.select_related("original").get(pk=alice.open_job().json()["job_id"])
    data = (django_settings.VAR_DIR / "gateway-documents" / f"{job.original.pk}.age").read_bytes()
    assert data.startswith(b"age-encryption.org/v1")
    assert b"%PDF" not in data
