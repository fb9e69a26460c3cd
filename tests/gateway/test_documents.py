"""Encrypted storage."""

import errno
import hashlib
import io
import os
import time
import uuid
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, connections, router, transaction

from gateway import documents
from gateway.beside import LARGE
from gateway.errors import StorageError, StorageFullError
from gateway.models import Job, StoredDocument
from tests.gateway.conftest import User


@pytest.fixture(autouse=True)
def _folder(documents_folder: Path) -> None:
    pass


def _store(data: bytes) -> StoredDocument:
    return documents.store_document(io.BytesIO(data))


def test_what_was_stored_is_read_back() -> None:
    data = os.urandom(300_000)
    stored = _store(data)
    with documents.open_document(stored) as file:
        assert file.read() == data
    assert stored.size == 300_000


@pytest.mark.parametrize("size", [6, LARGE - 1, LARGE, LARGE + 300_000])
def test_a_document_is_measured_from_its_beginning_wherever_it_stands(size: int) -> None:
    """A large one while it is encrypted."""
    data = os.urandom(size)
    with documents.temporary_file() as file:
        file.write(data)
        file.seek(3)
        found = documents.store_document(file)
        assert (found.size, found.sha256) == documents.measure(file) == (size, hashlib.sha256(data).hexdigest())
    assert documents.open_document(found).read() == data


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("step", ["store", "upload", "prepare"])
def test_no_row_says_what_the_disk_has_not_safely(
    alice: User, credential_id: str, documents_folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The name of a file is the last that reaches the disk, before the row that tells of it."""
    job_id = alice.open_job().json()["job_id"] if step == "prepare" else ""
    before = sorted(path.name for path in documents_folder.glob("*"))

    def fail(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr("config.storage._sync", fail)
        if step == "store":
            with pytest.raises(StorageFullError):
                _store(b"agreed")
        else:
            answer = alice.open_job() if step == "upload" else alice.prepare(job_id, credential_id, level="B-B")
            assert (answer.status_code, answer.json()["error"]) == (507, "storage_full")
    assert StoredDocument.objects.count() == len(before) == (1 if step == "prepare" else 0)
    assert sorted(path.name for path in documents_folder.glob("*")) == before
    if step == "prepare":
        assert alice.prepare(job_id, credential_id, level="B-B").status_code == 200


def test_the_plaintext_has_no_name(documents_folder: Path) -> None:
    stored = _store(b"secret")
    with documents.open_document(stored):
        assert [path.name for path in documents_folder.parent.rglob("*") if path.is_file()] == [f"{stored.pk}.age"]


def test_an_altered_or_cut_file_is_not_read(documents_folder: Path) -> None:
    stored = _store(bytes(100_000))
    path = documents_folder / f"{stored.pk}.age"
    data = path.read_bytes()
    for changed in (data[:-1], data[:50_000], bytes([*data[:-1], data[-1] ^ 1]), b""):
        path.write_bytes(changed)
        with pytest.raises(StorageError):
            documents.open_document(stored)


def test_a_file_under_another_rows_key_is_not_read(documents_folder: Path) -> None:
    first, second = _store(b"one"), _store(b"two")
    (documents_folder / f"{first.pk}.age").rename(documents_folder / f"{second.pk}.age")
    with pytest.raises(StorageError):
        documents.open_document(second)


def test_without_its_row_a_file_stays_unreadable_though_it_is_still_there(documents_folder: Path) -> None:
    stored = _store(b"one")
    kept = (documents_folder / f"{stored.pk}.age").read_bytes()
    documents.delete_document(stored)
    other = _store(b"two")
    (documents_folder / f"{other.pk}.age").write_bytes(kept)
    with pytest.raises(StorageError):
        documents.open_document(other)


def test_the_key_of_a_document_that_a_job_holds_is_not_deleted(alice: User) -> None:
    held = Job.objects.select_related("original").get(pk=alice.open_job().json()["job_id"]).original
    alias = router.db_for_write(StoredDocument)

    def delete() -> None:
        with transaction.atomic(using=alias):
            documents.delete_document(held)
            connections[alias].check_constraints()  # as a commit does

    with pytest.raises(IntegrityError):
        delete()
    assert StoredDocument.objects.count() == 1


def test_a_new_first_key_wraps_and_the_old_one_still_unwraps(settings: object) -> None:
    stored = _store(b"one")
    fresh = Fernet.generate_key().decode()
    settings.GATEWAY_DOCUMENT_KEYS = [fresh, *settings.GATEWAY_DOCUMENT_KEYS]  # type: ignore[attr-defined]
    assert documents.open_document(stored).read() == b"one"
    later = _store(b"two")
    settings.GATEWAY_DOCUMENT_KEYS = [fresh]  # type: ignore[attr-defined]
    assert documents.open_document(later).read() == b"two"
    with pytest.raises(StorageError):
        documents.open_document(stored)


def test_a_write_that_fails_leaves_nothing(documents_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(documents.os, "fsync", full)
    with pytest.raises(StorageFullError):
        _store(b"one")
    assert list(documents_folder.iterdir()) == []
    assert not StoredDocument.objects.exists()


def test_stale_halves_and_files_without_a_row_are_removed(documents_folder: Path) -> None:
    kept = _store(b"one")
    old = time.time() - 7200
    for name in (f"{uuid.uuid4()}.part", f"{uuid.uuid4()}.age", f"{kept.pk}.age"):
        path = documents_folder / name
        path.touch()
        os.utime(path, (old, old))
    fresh = documents_folder / f"{uuid.uuid4()}.part"
    fresh.touch()
    assert documents.remove_stale_files() == 2
    assert {path.name for path in documents_folder.iterdir()} == {f"{kept.pk}.age", fresh.name}
