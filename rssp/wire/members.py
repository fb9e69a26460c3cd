"""What several requests have: the two versions' names, digests, which parts of a credential are wanted."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rssp.errors import (
    EmptyHashesError,
    HashEncodingError,
    InvalidParameterError,
    MissingParameterError,
    TooManyHashesError,
)

Version = Literal[1, 2]
Certificates = Literal["none", "single", "chain"]

MOST_HASHES = 1000
# Where the two versions spell one parameter differently.
HASHES = {1: "hash", 2: "hashes"}
HASH_ALGORITHM = {1: "hashAlgo", 2: "hashAlgorithmOID"}


@dataclass(frozen=True)
class Members:
    """Which parts of a credential's description are wanted."""

    certificates: Certificates = "single"
    cert_info: bool = False
    auth_info: bool = False


def decode_hashes(hashes: Sequence[Any]) -> tuple[bytes, ...]:
    """Standard alphabet, padded, no line break, one spelling for each value."""
    if not hashes:
        raise EmptyHashesError("hash")
    if len(hashes) > MOST_HASHES:
        raise TooManyHashesError("hash")
    return tuple(decode_hash(item) for item in hashes)


def decode_hash(item: Any) -> bytes:
    decoded = decode_base64(item)
    if not decoded:
        raise HashEncodingError("hash")
    return decoded


def decode_base64(item: Any) -> bytes | None:
    if not isinstance(item, str):
        return None
    try:
        decoded = base64.b64decode(item, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == item else None


def parse_members(body: dict[str, Any]) -> Members:
    certificates = body.get("certificates", "single")
    if certificates not in ("none", "single", "chain"):
        raise InvalidParameterError("certificates")
    return Members(certificates, cert_info=parse_boolean(body, "certInfo"), auth_info=parse_boolean(body, "authInfo"))


def parse_string(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise MissingParameterError(name)
    return value


def parse_boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidParameterError(name)
    return value


def refuse_odd_client_data(body: dict[str, Any]) -> None:
    for name in ("clientData", "lang"):
        if not isinstance(body.get(name, ""), str):
            raise InvalidParameterError(name)
