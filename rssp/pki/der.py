"""The little DER that is written by hand (ITU-T X.690): what there is a hundred thousand of, or a thousand a second.

>>> encode(SEQUENCE, encode_integer(5), encode(NULL)).hex()
'30050201050500'
"""

from datetime import UTC, datetime

from asn1crypto import core

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED, SEQUENCE = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x30
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18


def encode(tag: int, *contents: bytes) -> bytes:
    """One value in definite, shortest form; ``tag`` is its identifier octet."""
    length = sum(map(len, contents))
    if length < 0x80:
        return b"".join((bytes((tag, length)), *contents))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return b"".join((bytes((tag, 0x80 | len(octets))), octets, *contents))


def explicit(number: int, *contents: bytes) -> bytes:
    """[number] EXPLICIT."""
    return encode(0xA0 | number, *contents)


def encode_integer(value: int) -> bytes:
    bits = (value if value >= 0 else ~value).bit_length()
    return encode(INTEGER, value.to_bytes(bits // 8 + 1, "big", signed=True))


def encode_oid(dotted: str) -> bytes:
    encoded: bytes = core.ObjectIdentifier(dotted).dump()
    return encoded


def encode_generalized_time(moment: datetime) -> bytes:
    """Whole seconds of UTC."""
    return encode(GENERALIZED_TIME, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())


def encode_time(moment: datetime) -> bytes:
    """Time as RFC 5280, 5.1.2.4 to 5.1.2.6, has it: UTCTime, and GeneralizedTime from 2050 on."""
    moment = moment.astimezone(UTC)
    if moment.year >= 2050:
        return encode_generalized_time(moment)
    return encode(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())


def encode_extension(oid: str, value: bytes) -> bytes:
    """An Extension that is not critical."""
    return encode(SEQUENCE, encode_oid(oid), encode(OCTET_STRING, value))
