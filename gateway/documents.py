"""Documents at rest: one age file each (https://age-encryption.org/v1), under a key of its own that the database
keeps wrapped.

The X25519 identity of a document is wrapped by the first of ``GATEWAY_DOCUMENT_KEYS``; each of them unwraps.
Deleting the row is what makes the file unreadable; deleting the file only frees space. Plaintext lies only in files
that have no name. Where the encrypted ones lie says settings.STORAGES, behind Django's storage API.
"""

import errno
import hashlib
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePath
from typing import IO, Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.files.storage import storages
from django.utils import timezone

from gateway import age
from gateway.beside import LARGE, beside
from gateway.errors import StorageError, StorageFullError, StorageUnavailableError
from gateway.models import StoredDocument

log = logging.getLogger(__name__)

_STALE_SECONDS = 3600
_LOOKED_UP = 500


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.GATEWAY_DOCUMENT_KEYS])


def encrypt_text(text: str) -> str:
    """A short secret for a database column."""
    return _box().encrypt(text.encode()).decode()


def decrypt_text(text: str) -> str:
    """Raises `StorageError` if no key fits."""
    try:
        return _box().decrypt(text.encode()).decode()
    except InvalidToken:
        raise StorageError from None


def _storage() -> Any:
    """A `Storage` with the methods ``begin`` and ``settle`` (config/storage.py)."""
    return storages["gateway-documents"]


def _name(document_id: uuid.UUID) -> str:
    return f"{document_id}.age"


def temporary_file() -> IO[bytes]:
    """A plaintext file without a name, gone when closed."""
    return tempfile.TemporaryFile("w+b", dir=settings.FILE_UPLOAD_TEMP_DIR)


def discard(file: IO[bytes]) -> None:
    """Closes a file whose content is of no use any more: what is left in its buffer may find no room on the disk."""
    with suppress(OSError):
        file.close()


def measure(file: IO[bytes]) -> tuple[int, str]:
    """The file's size, and its SHA-256 in lower-case hexadecimal."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]  # any binary file does
    return file.seek(0, os.SEEK_END), digest.hexdigest()


def _measure_apart(descriptor: int) -> tuple[int, str]:
    """The same of a real file that somebody else reads meanwhile."""
    with Path(f"/proc/self/fd/{descriptor}").open("rb") as file:
        return measure(file)


@contextmanager
def cut(file: IO[bytes], *, begin: int) -> Iterator[IO[bytes]]:
    """What stands in the file from ``begin`` on, in a file of its own for as long as the block. Raises
    `StorageFullError`."""
    rest = temporary_file()
    try:
        file.seek(begin)
        with writing():
            shutil.copyfileobj(file, rest)
        yield rest
    finally:
        discard(rest)


def store_document(plaintext: IO[bytes], *, password: str = "") -> StoredDocument:
    """Encrypts the whole file; the row is written after the file is safely on disk. ``password`` opens the PDF in it.
    Raises `StorageFullError`."""
    document = write_document(plaintext, password=password)
    settle([document.id])
    try:
        document.save(force_insert=True)
    except BaseException:
        remove_files([document.id])
        raise
    return document


def write_document(plaintext: IO[bytes], *, password: str = "") -> StoredDocument:
    """As `store_document`, but for the row, which the caller writes after `settle`: whoever dies before leaves noise
    that `remove_stale_files` removes."""
    identity = age.new_identity()
    document = StoredDocument(wrapped_key=encrypt_text(identity), wrapped_password=wrap_password(password))
    try:
        size = plaintext.seek(0, os.SEEK_END)
        measuring = partial(measure, plaintext) if size < LARGE else partial(_measure_apart, plaintext.fileno())
        with beside(measuring, size=size) as measured:
            plaintext.seek(0)
            with _storing(), _storage().begin(_name(document.id)) as file:
                age.encrypt(plaintext, file, identity)
            document.size, document.sha256 = measured()
    except BaseException:
        remove_files([document.id])
        raise
    return document


def settle(document_ids: Collection[uuid.UUID]) -> None:
    """These documents, which were written, are safely on disk; or there is nothing of them, and it raises as
    `write_document` does."""
    try:
        with _storing():
            _storage().settle()
    except BaseException:
        remove_files(document_ids)
        raise


@contextmanager
def writing() -> Iterator[None]:
    """Tells a full disk from other faults: raises `StorageFullError`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageFullError from None
        raise


@contextmanager
def _storing() -> Iterator[None]:
    """Raises `StorageFullError`, `StorageUnavailableError`."""
    try:
        with writing():
            yield
    except OSError:
        raise StorageUnavailableError from None


def open_document(*documents: StoredDocument, watch: Callable[[bytes | memoryview], None] | None = None) -> IO[bytes]:
    """The plaintext, in a file without a name, at its start: of one document, or of an original and what comes behind
    it; the caller closes it. ``watch`` gets each part before the file does. Raises `StorageError` if file or key is
    gone or altered, `StorageFullError`, `StorageUnavailableError`."""
    plaintext = temporary_file()
    try:
        with writing():
            for document in documents:
                for part in read_document(document):
                    if watch is not None:
                        watch(part)
                    plaintext.write(part)
            plaintext.flush()
    except BaseException:
        discard(plaintext)
        raise
    plaintext.seek(0)
    return plaintext


def read_document(document: StoredDocument) -> Iterator[bytes | memoryview]:
    """The plaintext in parts, each good until the next one; who has them all has it whole. Raises `StorageError` if
    file or key is gone or altered, `StorageUnavailableError`."""
    identity = decrypt_text(document.wrapped_key)
    try:
        with _fetch(_name(document.id)) as file:
            yield from age.decrypt(file, identity)
    except (OSError, age.AgeError):
        raise StorageError from None


def _fetch(name: str) -> IO[bytes]:
    """The encrypted file. Raises `StorageError` if there is none, `StorageUnavailableError` if that cannot be said."""
    try:
        return cast(IO[bytes], _storage().open(name))
    except FileNotFoundError:
        raise StorageError from None
    except OSError:
        raise StorageUnavailableError from None


def wrap_password(password: str) -> str:
    """As a row keeps it; nothing if there is none."""
    return encrypt_text(password) if password else ""


def password_of(document: StoredDocument) -> str:
    """What opens the PDF in it; empty if that takes nothing. Raises `StorageError` if no key fits."""
    return decrypt_text(document.wrapped_password) if document.wrapped_password else ""


def delete_document(document: StoredDocument | None) -> None:
    """The wrapped key first: from then on the file is noise."""
    if document is not None:
        delete_documents([document.id])


def delete_documents(document_ids: Sequence[uuid.UUID]) -> None:
    """The same of many."""
    for start in range(0, len(document_ids), _LOOKED_UP):
        StoredDocument.objects.filter(pk__in=document_ids[start : start + _LOOKED_UP]).delete()
    remove_files(document_ids)


def remove_files(document_ids: Iterable[uuid.UUID]) -> None:
    """Of documents that have no row, or none any more."""
    for document_id in document_ids:
        with suppress(OSError):
            _storage().delete(_name(document_id))


def remove_stale_files() -> int:
    """Removes files that no row knows, an hour old at least: halves of crashed writes, and what could not be
    deleted. Answers how many."""
    storage, stale = _storage(), timezone.now() - timedelta(seconds=_STALE_SECONDS)
    _folders, listed = storage.listdir("")
    names = [name for name in listed if PurePath(name).suffix in {".age", ".part"}]
    removed = 0
    for start in range(0, len(names), _LOOKED_UP):
        chunk = names[start : start + _LOOKED_UP]
        known = StoredDocument.objects.filter(pk__in=[stem for name in chunk if (stem := _identifier(name))])
        kept = {_name(pk) for pk in known.values_list("pk", flat=True)}
        for name in set(chunk) - kept:
            with suppress(OSError):
                if storage.get_modified_time(name) < stale:
                    storage.delete(name)
                    removed += 1
    return removed


def _identifier(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(PurePath(name).stem) if name.endswith(".age") else None
    except ValueError:
        return None
