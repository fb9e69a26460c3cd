"""DER (ITU-T X.690) put together from parts: for the few structures whose every field is known beforehand, where the
ASN.1 library's classes take a hundred times as long. Whoever parses uses the library."""

from collections.abc import Iterable
from functools import lru_cache

from asn1crypto.core import ObjectIdentifier

NULL = b"\x05\x00"


def element(tag: int, *contents: bytes) -> bytes:
    """Identifier octet, length, contents (8.1)."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*members: bytes) -> bytes:
    return element(0x30, *members)


def set_of(members: Iterable[bytes], *, tag: int = 0x31) -> bytes:
    """In the order of their encodings (11.6); ``tag`` where it is implicit."""
    return element(tag, *sorted(members))


def octets(value: bytes) -> bytes:
    return element(0x04, value)


@lru_cache(maxsize=64)
def oid(dotted: str) -> bytes:
    encoded: bytes = ObjectIdentifier(dotted).dump()
    return encoded
