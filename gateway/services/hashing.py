"""Originals, hashed as they are stored: what is signed, and what is handed out as signed, is over bytes that no child
has its hands on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from gateway import documents
from gateway.models import StoredDocument
from gateway.pades.covering import Original, hash_original


def hash_stored(document: StoredDocument, *, hash_name: str) -> Original:
    """The document, as the original of a signature with ``hash_name``. Raises `StorageError`,
    `StorageUnavailableError`."""
    return hash_original(documents.read_document(document), hash_name=hash_name)


@contextmanager
def hashed_beside(document: StoredDocument, *, hash_name: str) -> Iterator[Callable[[], Original]]:
    """What gives the same when it is asked; for a large document, the time in the block goes into it."""
    if document.size < documents.LARGE:
        yield lambda: hash_stored(document, hash_name=hash_name)
        return
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(hash_stored, document, hash_name=hash_name).result
