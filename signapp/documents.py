"""Documents at rest: one age file each (https://age-encryption.org/v1), under a key of its own that the database
keeps wrapped.

The X25519 identity of a document is wrapped by the first of ``SIGNAPP_DOCUMENT_KEYS``; each of them unwraps.
Deleting the row is what makes the file unreadable; deleting the file only frees space. Plaintext lies only in files
that have no name.
"""

import errno
import hashlib
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pyrage
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from pyrage import x25519

from signapp.errors import StorageError, StorageFullError
from signapp.models import StoredFile

log = logging.getLogger(__name__)

_STALE_SECONDS = 3600
_CHUNK = 1024 * 1024


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SIGNAPP_DOCUMENT_KEYS])


def encrypt_text(text: str) -> str:
    """A short secret for a database column."""
    return _box().encrypt(text.encode()).decode()


def decrypt_text(text: str) -> str:
    """Raises `StorageError` if no key fits."""
    try:
        return _box().decrypt(text.encode()).decode()
    except InvalidToken:
        raise StorageError from None


def _path(file_id: uuid.UUID) -> Path:
    return Path(settings.SIGNAPP_DOCUMENTS_DIR) / f"{file_id}.age"


def temporary_file() -> IO[bytes]:
    """A plaintext file without a name, gone when closed."""
    return tempfile.TemporaryFile("w+b", dir=settings.FILE_UPLOAD_TEMP_DIR)


def store_file(plaintext: IO[bytes], *, password: str = "") -> StoredFile:
    """Encrypts the whole file; the row is written after the file is safely on disk. ``password`` opens the PDF in it.
    Raises `StorageFullError`."""
    plaintext.seek(0)
    digest = hashlib.sha256()
    while chunk := plaintext.read(_CHUNK):
        digest.update(chunk)
    size = plaintext.tell()
    identity = x25519.Identity.generate()
    stored = StoredFile(
        wrapped_key=encrypt_text(str(identity)),
        wrapped_password=encrypt_text(password) if password else "",
        size=size,
        sha256=digest.hexdigest(),
    )
    path = _path(stored.id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    plaintext.seek(0)
    try:
        with writing(), part.open("xb") as file:
            pyrage.encrypt_io(plaintext, file, [identity.to_public()])
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        _sync_folder(path.parent)
        stored.save(force_insert=True)
    except BaseException:
        part.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return stored


@contextmanager
def writing() -> Iterator[None]:
    """Tells a full disk from other faults: raises `StorageFullError`."""
    try:
        yield
    except pyrage.EncryptError:
        # Nothing else can go wrong in encrypting for one valid recipient.
        raise StorageFullError from None
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageFullError from None
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_file(stored: StoredFile) -> IO[bytes]:
    """The plaintext, in a file without a name, at its start; the caller closes it. Raises `StorageError` if file or
    key is gone or altered."""
    plaintext = temporary_file()
    try:
        identity = x25519.Identity.from_str(decrypt_text(stored.wrapped_key))
        with writing(), _path(stored.id).open("rb") as file:
            pyrage.decrypt_io(file, plaintext, [identity])
            plaintext.flush()
    except StorageFullError:
        plaintext.close()
        raise
    except (OSError, StorageError, pyrage.DecryptError, pyrage.IdentityError):
        plaintext.close()
        raise StorageError from None
    plaintext.seek(0)
    return plaintext


def password_of(stored: StoredFile | None) -> str:
    """What opens the PDF in it; empty if that takes nothing. Raises `StorageError` if no key fits."""
    return decrypt_text(stored.wrapped_password) if stored is not None and stored.wrapped_password else ""


def delete_file(stored: StoredFile | None) -> None:
    """The wrapped key first: from then on the file is noise."""
    if stored is None:
        return
    path = _path(stored.id)
    stored.delete()
    with suppress(OSError):
        path.unlink(missing_ok=True)


def remove_stale_files() -> int:
    """Removes files that no row knows, an hour old at least: halves of crashed writes, and what could not be
    unlinked. Answers how many."""
    folder = Path(settings.SIGNAPP_DOCUMENTS_DIR)
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix not in {".age", ".part"} or time.time() - path.stat().st_mtime < _STALE_SECONDS:
            continue
        if path.suffix == ".age" and StoredFile.objects.filter(pk=path.stem).exists():
            continue
        path.unlink(missing_ok=True)
        removed += 1
    return removed
