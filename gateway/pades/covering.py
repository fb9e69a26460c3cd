"""The bytes of a signed file, as a viewer will take them: the original, and an update with one signature, whose
``/ByteRange`` covers everything but the place of its value (ISO 32000-2, 12.8.1). Parses no PDF: where things stand in
an update that we wrote is known, and whatever stands there otherwise refuses the file.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from gateway.errors import InvalidSignatureError

_CHUNK = 256 * 1024
_NAME = b"/ByteRange"
# A signature dictionary begins with its value, and then says what is covered (as the library writes it).
_BEFORE = re.compile(rb"[\r\n]\d+ \d+ obj\n<<\n/Contents \Z")
_LONGEST_BEFORE = 64
_AFTER = b"\n/ByteRange %s\n/Type /Sig\n/Filter /Adobe.PPKLite\n/SubFilter /ETSI.CAdES.detached\n"
# Kept free for the four numbers until they were known.
_LONGEST_NUMBERS = 62
_HEXADECIMAL = re.compile(rb"<(?:[0-9A-F]{2})+>")


class Original:
    """An original as far as it was read: ``size`` bytes, hashed for a signature with ``hash_name``. What it is hashed
    with can go on behind it, in copies: ``whole`` is SHA-256, ``covered`` the signature's hash."""

    def __init__(self, hash_name: str) -> None:
        self.size = 0
        self.whole = hashlib.sha256()
        self.covered = self.whole if hash_name == self.whole.name else hashlib.new(hash_name)

    def update(self, part: bytes | memoryview) -> None:
        """The next part."""
        self.size += len(part)
        self.whole.update(part)
        if self.covered is not self.whole:
            self.covered.update(part)

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal."""
        return self.whole.hexdigest()


def hash_original(parts: Iterable[bytes | memoryview], *, hash_name: str) -> Original:
    """One that comes in ``parts``."""
    original = Original(hash_name)
    for part in parts:
        original.update(part)
    return original


@dataclass(frozen=True)
class SignedBytes:
    """Of a whole file ``size`` and ``sha256`` (lower-case hexadecimal); the ``digest`` of what its signature covers;
    ``contents`` is what stands in the place of the signature's value."""

    size: int
    sha256: str
    digest: bytes
    contents: bytes = field(repr=False)


def read_signed_bytes(update: IO[bytes], *, original: Original, start: int, end: int) -> SignedBytes:
    """A file that is ``original`` and then ``update``, which is read once; the place is from ``start`` to ``end`` of
    the whole file. Raises `InvalidSignatureError`."""
    whole, covered = original.whole.copy(), original.covered.copy()
    contents, total = b"", original.size
    for part, is_covered in read_update(update, size=original.size, start=start, end=end):
        total += len(part)
        whole.update(part)
        if is_covered:
            covered.update(part)
        else:
            contents = bytes.fromhex(part[1:-1].decode())
    return SignedBytes(total, whole.hexdigest(), covered.digest(), contents)


def measure_whole(update: IO[bytes], *, original: Original) -> tuple[int, str]:
    """The size of a file that is ``original`` and then ``update``, and its SHA-256 in lower-case hexadecimal."""
    whole, total = original.whole.copy(), original.size
    update.seek(0)
    while chunk := update.read(_CHUNK):
        whole.update(chunk)
        total += len(chunk)
    return total, whole.hexdigest()


def read_update(update: IO[bytes], *, size: int, start: int, end: int) -> Iterator[tuple[bytes, bool]]:
    """What stands behind an original of ``size`` bytes, each part with whether it is covered; only the place, ``<``
    hexadecimal digits ``>``, is not. ``start`` and ``end`` count from the original's first byte.

    Raises `InvalidSignatureError` unless the signature dictionary says so itself, and nothing else says anything.
    """
    total = size + update.seek(0, os.SEEK_END)
    if not 0 < size < start < end < total:
        raise InvalidSignatureError
    update.seek(0)
    last = b""
    for chunk in _read_chunks(update, start - size):
        last = _refuse_named(last, chunk)
        yield chunk, True
    if not _BEFORE.search(last):
        raise InvalidSignatureError
    place = _read(update, end - start)
    if not _HEXADECIMAL.fullmatch(place):
        raise InvalidSignatureError
    yield place, False
    after = _AFTER % (b"[0 %d %d %d]" % (start, end, total - end)).ljust(_LONGEST_NUMBERS)
    if _read(update, len(after)) != after:
        raise InvalidSignatureError
    yield after, True
    last = b""
    for chunk in _read_chunks(update, total - end - len(after)):
        last = _refuse_named(last, chunk)
        yield chunk, True


def _refuse_named(last: bytes, chunk: bytes) -> bytes:
    """Whoever looks for the range by its name alone must find the right one. Answers with the end of what was read."""
    read = last + chunk
    if _NAME in read:
        raise InvalidSignatureError
    return read[-_LONGEST_BEFORE:]


def _read_chunks(file: IO[bytes], length: int) -> Iterator[bytes]:
    while length > 0:
        chunk = _read(file, min(_CHUNK, length))
        length -= len(chunk)
        yield chunk


def _read(file: IO[bytes], length: int) -> bytes:
    """So many bytes, or none."""
    found = file.read(length)
    if len(found) != length:
        raise InvalidSignatureError
    return found
