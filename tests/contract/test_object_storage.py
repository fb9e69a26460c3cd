"""Documents of signapp and gateway in an S3-compatible store, which is a real server's process."""

import io
import os
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from gateway import documents as gateway_documents
from gateway import errors as gateway_errors
from gateway.models import Job
from gateway.services import signing as gateway_signing
from signapp import documents, errors
from signapp.models import StoredFile
from signapp.services import documents as library
from tests.contract.test_protected_uploads import sign, upload
from tests.contract.test_signapp_asks_gateway import who
from tests.support import pdfs
from tests.support.object_store import BUCKET, ObjectStore, object_store

__all__ = ["who"]  # the fixture
pytestmark = pytest.mark.django_db(
    databases=["default", *{"gateway", "signapp"} & set(django_settings.DATABASES)], transaction=True
)


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store() as started:
        yield started


@pytest.fixture
def store(server: ObjectStore, settings: Any, tmp_path: Path) -> ObjectStore:
    if server.process is None:
        server.start()
    for name in server.names():
        server.client.delete_object(Bucket=BUCKET, Key=name)
    for name, value in server.settings.items():
        setattr(settings, name, value)
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    settings.STORAGES = {
        **settings.STORAGES,
        **{
            f"{role}-documents": {"BACKEND": "config.object_storage.Bucket", "OPTIONS": {"location": role}}
            for role in ("gateway", "signapp")
        },
    }
    return server


def test_a_document_goes_all_the_way_and_lies_there_encrypted(
    who: dict[str, Any], store: ObjectStore, tmp_path: Path, settings: Any
) -> None:
    settings.SIGNATURE_LEVEL = "B-B"
    pdf = pdfs.make_pdf(pages=2)
    document = upload(who, pdf)
    (name,) = store.names()
    assert name == f"signapp/{document.original.pk}.age"
    kept = store.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
    assert kept.startswith(b"age-encryption.org/v1")
    signed = sign(who, document)
    with library.open_signed(account=who["account"], document_id=document.pk) as file:
        assert file.read().startswith(pdf)
    assert sorted(store.names()) == sorted([name, f"signapp/{signed.signed.pk}.age"])
    library.delete_document(**who, document_id=document.pk)
    assert store.names() == []
    assert not any(tmp_path.rglob("*.age"))


def test_a_large_one_goes_in_parts_and_comes_back_whole(store: ObjectStore) -> None:
    data = os.urandom(20_000_000)
    stored = documents.store_file(io.BytesIO(data))
    head = store.client.head_object(Bucket=BUCKET, Key=f"signapp/{stored.pk}.age")
    assert head["ETag"].strip('"').endswith("-3")
    with documents.open_file(stored) as file:
        assert file.read() == data


def test_one_that_is_gone_or_altered_is_not_read(store: ObjectStore) -> None:
    stored = gateway_documents.store_document(io.BytesIO(bytes(100_000)))
    key = f"gateway/{stored.pk}.age"
    kept = store.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    for changed in (kept[:-1], bytes([*kept[:-1], kept[-1] ^ 1]), b""):
        store.client.put_object(Bucket=BUCKET, Key=key, Body=changed)
        with pytest.raises(gateway_errors.StorageError):
            gateway_documents.open_document(stored)
    store.client.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(gateway_errors.StorageError):
        gateway_documents.open_document(stored)


def test_what_no_row_knows_is_removed_when_it_is_old(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = documents.store_file(io.BytesIO(b"one"))
    for name in (f"signapp/{uuid.uuid4()}.age", f"gateway/{uuid.uuid4()}.age", "signapp/notes.txt"):
        store.client.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    assert documents.remove_stale_files() == 0
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert documents.remove_stale_files() == 1
    assert gateway_documents.remove_stale_files() == 1
    assert sorted(store.names()) == sorted([f"signapp/{kept.pk}.age", "signapp/notes.txt"])


def test_while_it_is_away_nothing_is_lost_and_nothing_kept(
    who: dict[str, Any], store: ObjectStore, tmp_path: Path, settings: Any
) -> None:
    """A worker tries again: the signature was made, and the job is not at its end."""
    settings.SIGNATURE_LEVEL = "B-B"
    document = upload(who, pdfs.make_pdf())
    stored, update = (gateway_documents.store_document(io.BytesIO(data)) for data in (b"two", b"more"))
    store.stop()
    begun = time.monotonic()
    with pytest.raises(errors.StorageUnavailableError):
        upload(who, pdfs.make_pdf(pages=2))
    with pytest.raises(errors.StorageUnavailableError):
        library.open_original(account=who["account"], document_id=document.pk)
    with pytest.raises(gateway_errors.StorageUnavailableError):
        gateway_documents.open_document(stored)
    assert time.monotonic() - begun < 30
    assert StoredFile.objects.count() == 1
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    job = Job.objects.create(
        state=Job.State.SIGNING,
        signature=b"x",
        signed_attributes=b"x",
        original=stored,
        prepared=update,
        lease_until=timezone.now() - timedelta(seconds=1),
        certificate_chain=[],
        document_pages=1,
        document_size=1,
        document_sha256="",
        expires_at=timezone.now() + timedelta(days=1),
    )
    gateway_signing.run_job(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.SIGNING
