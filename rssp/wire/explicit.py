"""The CSC API's spellings of explicit mode: factors, authentication objects, handles. Plain Python.

The rules are those of `rssp.wire.requests`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rssp.errors import InvalidParameterError, MissingParameterError, SignatureCountError
from rssp.wire.members import HASHES, Version

LONGEST_FACTOR = 255
LONGEST_DESCRIPTION = 500
_MOST_FACTORS = 16

Presence = Literal["true", "false", "optional"]
Word = Literal["PIN", "OTP"]


# --- Requests -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AuthorizeRequest:
    """``credentials/authorize``. ``hashes`` are still to be decoded; version 1 has PIN and OTP, version 2 the rest."""

    credential_id: str
    num_signatures: int
    hashes: tuple[Any, ...] | None
    hash_algorithm_oid: str | None
    description: str
    pin: str | None = field(default=None, repr=False)
    otp: str | None = field(default=None, repr=False)
    auth_data: Mapping[str, str | None] = field(default_factory=dict, repr=False)


def parse_authorize_request(body: dict[str, Any], version: Version) -> AuthorizeRequest:
    credential_id = _string(body, "credentialID")
    num_signatures = body.get("numSignatures")
    if type(num_signatures) is not int:
        raise MissingParameterError("numSignatures", kind="integer")
    hashes = body.get(HASHES[version])
    if hashes is not None and not isinstance(hashes, list):
        raise MissingParameterError("hash", kind="array")
    oid = _string(body, "hashAlgorithmOID") if version == 2 and body.get("hashAlgorithmOID") is not None else None
    description = body.get("description")
    if description is not None and (not isinstance(description, str) or len(description) > LONGEST_DESCRIPTION):
        raise InvalidParameterError("description")
    refuse_odd_client_data(body)
    if num_signatures < 1:
        raise SignatureCountError("numSignatures")
    return AuthorizeRequest(
        credential_id,
        num_signatures,
        None if hashes is None else tuple(hashes),
        oid,
        description or "",
        pin=_factor(body, "PIN") if version == 1 else None,
        otp=_factor(body, "OTP") if version == 1 else None,
        auth_data=_parse_auth_data(body.get("authData")) if version == 2 else {},
    )


def _parse_auth_data(items: Any) -> dict[str, str | None]:
    if items is None:
        return {}
    if not isinstance(items, list):
        raise MissingParameterError("authData", kind="array")
    given: dict[str, str | None] = {}
    for item in items:
        if not isinstance(item, dict) or len(given) >= _MOST_FACTORS:
            raise InvalidParameterError("authData")
        identifier, value = item.get("id"), item.get("value")
        if not isinstance(identifier, str) or identifier in given or not _is_factor(value):
            raise InvalidParameterError("authData")
        given[identifier] = value
    return given


def _factor(body: dict[str, Any], name: str) -> str | None:
    """An empty one is none: clients send what their user left blank."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise MissingParameterError(name)
    if not _is_factor(value):
        raise InvalidParameterError(name)
    return value or None


def _is_factor(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= LONGEST_FACTOR)


def parse_handle(body: dict[str, Any]) -> str:
    """``credentials/authorizeCheck``."""
    return _named(body, "handle")


@dataclass(frozen=True)
class ChallengeRequest:
    """``credentials/getChallenge``."""

    credential_id: str
    identifier: str


def parse_challenge_request(body: dict[str, Any]) -> ChallengeRequest:
    """Missing is no other mistake than unknown (CSC API v2, 11.8)."""
    return ChallengeRequest(_named(body, "credentialID"), _named(body, "authObjectID"))


def parse_send_otp_request(body: dict[str, Any]) -> str:
    """The credential's identifier."""
    credential_id = _string(body, "credentialID")
    refuse_odd_client_data(body)
    return credential_id


def _string(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise MissingParameterError(name)
    return value


def _named(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_FACTOR:
        raise InvalidParameterError(name)
    return value


def refuse_odd_client_data(body: dict[str, Any]) -> None:
    if not isinstance(body.get("clientData", ""), str):
        raise InvalidParameterError("clientData")


# --- Answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectDescription:
    """One authentication object; ``presence``, where version 1 has a word for it, says whether it is needed there."""

    identifier: str
    type: str
    label: str
    description: str
    format: str
    generator: str
    version_1: Word | None = None
    presence: Presence = "false"
    is_online: bool = False


@dataclass(frozen=True)
class AuthDescription:
    """How an explicit or implicit credential is opened."""

    mode: str
    expression: str
    objects: tuple[ObjectDescription, ...]


def write_auth(found: AuthDescription, version: Version, *, auth_info: bool) -> dict[str, Any]:
    """The members of ``credentials/info`` about authorization (CSC API v1, 11.5; v2, 11.5)."""
    if version == 1:
        answer: dict[str, Any] = {"authMode": found.mode}
        if auth_info and found.mode == "explicit":
            answer |= {name: _write_version_1(found.objects, name) for name in ("PIN", "OTP")}
        return answer
    # There is no implicit mode any more: nothing to collect says the same (CSC API v2, 8.2).
    auth: dict[str, Any] = {"mode": "explicit"}
    if auth_info:
        objects = found.objects if found.mode == "explicit" else ()
        auth |= {"objects": [_write_object(each) for each in objects]}
        if objects:
            auth["expression"] = found.expression
    return {"auth": auth}


def _write_object(found: ObjectDescription) -> dict[str, Any]:
    answer = {"type": found.type, "id": found.identifier, "label": found.label}
    optional = {"description": found.description}
    if not found.type.endswith("OOB"):
        optional |= {"format": found.format, "generator": found.generator}
    return answer | {name: value for name, value in optional.items() if value}


def _write_version_1(objects: Sequence[ObjectDescription], name: str) -> dict[str, Any]:
    found = next((each for each in objects if each.version_1 == name and each.presence != "false"), None)
    if found is None:
        return {"presence": "false"}
    answer = {
        "presence": found.presence,
        # Version 1's A has symbols too, so it is what anything else is called.
        "format": found.format or "A",
        "label": found.label,
    }
    if found.description:
        answer["description"] = found.description
    if name == "OTP":
        answer |= {"type": "online" if found.is_online else "offline", "ID": found.identifier}
        if found.generator:
            answer["provider"] = found.generator
    return answer


def write_handle(handle: str) -> dict[str, Any]:
    return {"handle": handle}
