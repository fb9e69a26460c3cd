"""The CSC API's spellings, versions 1 and 2: what comes in and what goes out. Plain Python.

Parsers are strict about what they need and ignore members that they do not know (CSC API v2, 10.1). The order in which
they look decides which of several mistakes is named; docs/csc-divergences.md gives it.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rssp.errors import (
    EmptyHashError,
    EmptyHashesError,
    HashEncodingError,
    InvalidParameterError,
    MalformedAuthorizationError,
    MalformedBodyError,
    MissingParameterError,
    OutOfBoundsError,
    PollingUserIdError,
    TooManyHashesError,
    UserIdError,
)

Version = Literal[1, 2]
Certificates = Literal["none", "single", "chain"]

LONGEST_BODY = 2 * 1024 * 1024
MOST_HASHES = 1000
PAGE_SIZE = 100
_LONGEST_VALIDITY = 10**12  # milliseconds; a service's own bound is far below
LONGEST_USER_ID = 255
_LONGEST_TOKEN = 4096
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_NONCE = re.compile(r"[0-9A-Fa-f]{1,128}")
# Where the two versions spell one parameter differently.
HASHES = {1: "hash", 2: "hashes"}
HASH_ALGORITHM = {1: "hashAlgo", 2: "hashAlgorithmOID"}


# --- Requests -----------------------------------------------------------------------------------------------


def parse_bearer(authorization: str | None) -> str:
    """The token of an ``Authorization: Bearer`` header (RFC 6750, 2.1); raises `MalformedAuthorizationError`."""
    match = _BEARER.fullmatch(authorization or "")
    if match is None or len(match[1]) > _LONGEST_TOKEN:
        raise MalformedAuthorizationError("no bearer token")
    return match[1]


def parse_object(raw: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, with no member twice and only numbers and strings that can be kept (RFC 7493)."""
    try:
        body = json.loads(
            raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_number, parse_float=_finite_float
        )
    except (ValueError, RecursionError):
        raise MalformedBodyError("the body is not well-formed JSON") from None
    if not isinstance(body, dict):
        raise MalformedBodyError("the body is not a JSON object")
    _refuse_odd_strings(body)
    return body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def _refuse_number(name: str) -> Any:
    raise ValueError(name)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _refuse_odd_strings(body: Any) -> None:
    """NUL, which not every database keeps, and halves of surrogate pairs, which have no UTF-8."""
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
            raise MalformedBodyError("a string holds a character that cannot be kept")


@dataclass(frozen=True)
class Members:
    """Which parts of a credential's description are wanted."""

    certificates: Certificates = "single"
    cert_info: bool = False
    auth_info: bool = False


@dataclass(frozen=True)
class ListRequest:
    """``credentials/list``. ``limit`` and ``page_token`` are of version 1, the rest of version 2. ``user_id`` is there
    where the token names no user."""

    limit: int | None
    page_token: str | None
    credential_info: bool
    only_valid: bool
    members: Members
    user_id: str | None = None


@dataclass(frozen=True)
class InfoRequest:
    """``credentials/info``."""

    credential_id: str
    members: Members


@dataclass(frozen=True)
class SignHashRequest:
    """``signatures/signHash``. ``hashes`` are still to be decoded: CSC wants other mistakes named first."""

    credential_id: str
    sad: str | None
    hashes: tuple[Any, ...]
    sign_algo: str
    sign_algo_params: bytes | None
    hash_algorithm_oid: str | None
    later: "AsynchronousMode | None" = None


@dataclass(frozen=True)
class AsynchronousMode:
    """Mode A of ``signatures/signHash``: ``validity`` is how long the result is kept, None for the service's own."""

    validity: timedelta | None
    response_uri: str | None


@dataclass(frozen=True)
class PollingRequest:
    """``signatures/signPolling``."""

    response_id: str
    user_id: str | None


@dataclass(frozen=True)
class ExtendRequest:
    """``credentials/extendTransaction``. ``hashes`` are still to be decoded; None where there is no such member."""

    credential_id: str
    sad: str
    hashes: tuple[Any, ...] | None
    hash_algorithm_oid: str | None


@dataclass(frozen=True)
class TimestampMembers:
    """``signatures/timestamp``: one digest, and a nonce if the client wants it repeated."""

    digest: bytes
    hash_algorithm_oid: str
    nonce: int | None


@dataclass(frozen=True)
class CreateRequest:
    """``credentials/create``."""

    certificate_policy: str
    key_algorithm: str
    members: Members


def parse_list_request(body: dict[str, Any], version: Version, *, is_user_known: bool) -> ListRequest:
    """A token that names its user leaves no room for ``userID``; any other one needs it."""
    user_id = _parse_user_id(body, is_user_known=is_user_known)
    _refuse_odd_client_data(body)
    if version == 1:
        wanted = body.get("maxResults")
        # What cannot be a number of results is no mistake here: the service's own limit holds (CSC API v1, 11.4).
        limit = wanted if type(wanted) is int and 1 <= wanted <= PAGE_SIZE else PAGE_SIZE
        page_token = body.get("pageToken")
        if page_token is not None and not isinstance(page_token, str):
            raise InvalidParameterError("pageToken")
        return ListRequest(
            limit, page_token, credential_info=False, only_valid=False, members=Members(), user_id=user_id
        )
    return ListRequest(
        None,
        None,
        credential_info=_boolean(body, "credentialInfo"),
        only_valid=_boolean(body, "onlyValid"),
        members=_parse_members(body),
        user_id=user_id,
    )


def _parse_user_id(body: dict[str, Any], *, is_user_known: bool) -> str | None:
    user_id = body.get("userID")
    if is_user_known:
        if user_id is not None:
            raise UserIdError("userID")
        return None
    if user_id is None:
        raise MissingParameterError("userID")
    if not isinstance(user_id, str) or not 1 <= len(user_id) <= LONGEST_USER_ID:
        raise InvalidParameterError("userID")
    return user_id


def parse_info_request(body: dict[str, Any]) -> InfoRequest:
    credential_id = _string(body, "credentialID")
    _refuse_odd_client_data(body)
    return InfoRequest(credential_id, _parse_members(body))


def parse_create_request(body: dict[str, Any]) -> CreateRequest:
    """docs/protocols.md, section 7."""
    wanted = body.get("credentialCreationRequest")
    if not isinstance(wanted, dict):
        raise MissingParameterError("credentialCreationRequest", kind="object")
    policy, algorithm = _string(wanted, "certificatePolicy"), _string(wanted, "keyAlgorithm")
    _refuse_odd_client_data(body)
    return CreateRequest(policy, algorithm, _parse_members(body))


def parse_extend_request(body: dict[str, Any], version: Version) -> ExtendRequest:
    credential_id, sad = _string(body, "credentialID"), _string(body, "SAD")
    hashes = body.get(HASHES[version])
    if hashes is not None and not isinstance(hashes, list):
        raise MissingParameterError("hash", kind="array")
    # Version 1 names no algorithm here: the digests' length does.
    named = version == 2 and body.get("hashAlgorithmOID") is not None
    oid = _string(body, "hashAlgorithmOID") if named else None
    _refuse_odd_client_data(body)
    return ExtendRequest(credential_id, sad, None if hashes is None else tuple(hashes), oid)


def parse_sign_hash_request(body: dict[str, Any], version: Version, *, needs_sad: bool) -> SignHashRequest:
    """Types first; `decode_hashes` looks into the hashes later."""
    credential_id = _string(body, "credentialID")
    sad = _string(body, "SAD") if needs_sad or "SAD" in body else None
    hashes = body.get(HASHES[version])
    if not isinstance(hashes, list):
        raise MissingParameterError("hash", kind="array")
    sign_algo = _string(body, "signAlgo")
    params = _string(body, "signAlgoParams") if body.get("signAlgoParams") is not None else None
    name = HASH_ALGORITHM[version]
    oid = _string(body, name) if body.get(name) is not None else None
    _refuse_odd_client_data(body)
    later = _parse_mode(body) if version == 2 else None
    return SignHashRequest(credential_id, sad, tuple(hashes), sign_algo, _decode_params(params), oid, later)


def _parse_mode(body: dict[str, Any]) -> AsynchronousMode | None:
    """What mode A alone has is ignored in mode S (CSC API v2, 11.10)."""
    mode = body.get("operationMode", "S")
    if mode not in ("S", "A"):
        raise InvalidParameterError("operationMode")
    if mode == "S":
        return None
    milliseconds, uri = body.get("validity_period"), body.get("response_uri")
    if milliseconds is not None and (type(milliseconds) is not int or milliseconds < 1):
        raise InvalidParameterError("validity_period")
    if milliseconds is not None and milliseconds > _LONGEST_VALIDITY:
        raise OutOfBoundsError("validity_period")
    if uri is not None and (not isinstance(uri, str) or not uri):
        raise InvalidParameterError("response_uri")
    return AsynchronousMode(None if milliseconds is None else timedelta(milliseconds=milliseconds), uri)


def parse_polling_request(body: dict[str, Any], *, is_user_known: bool) -> PollingRequest:
    response_id, user_id = _string(body, "requestID"), body.get("userID")
    if is_user_known and user_id is not None:
        raise PollingUserIdError("userID")
    if user_id is not None and (not isinstance(user_id, str) or not user_id):
        raise InvalidParameterError("userID")
    _refuse_odd_client_data(body)
    return PollingRequest(response_id, user_id)


def parse_timestamp_request(body: dict[str, Any]) -> TimestampMembers:
    """The same in both versions."""
    text = body.get("hash")
    if not isinstance(text, str):
        raise MissingParameterError("hash")
    if not text:
        raise EmptyHashError("hash")
    oid = body.get("hashAlgo")
    if not isinstance(oid, str):
        raise InvalidParameterError("hashAlgo")
    digest = _decode_hash(text)
    nonce = body.get("nonce")
    if nonce is not None and not (isinstance(nonce, str) and _NONCE.fullmatch(nonce)):
        raise InvalidParameterError("nonce")
    _refuse_odd_client_data(body)
    return TimestampMembers(digest, oid, None if nonce is None else int(nonce, 16))


def decode_hashes(hashes: Sequence[Any]) -> tuple[bytes, ...]:
    """Standard alphabet, padded, no line break, one spelling for each value."""
    if not hashes:
        raise EmptyHashesError("hash")
    if len(hashes) > MOST_HASHES:
        raise TooManyHashesError("hash")
    return tuple(_decode_hash(item) for item in hashes)


def _decode_hash(item: Any) -> bytes:
    decoded = _decode_base64(item)
    if not decoded:
        raise HashEncodingError("hash")
    return decoded


def _decode_base64(item: Any) -> bytes | None:
    if not isinstance(item, str):
        return None
    try:
        decoded = base64.b64decode(item, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == item else None


def _decode_params(params: str | None) -> bytes | None:
    if params is None:
        return None
    decoded = _decode_base64(params)
    if not decoded:
        raise InvalidParameterError("signAlgoParams")
    return decoded


def _parse_members(body: dict[str, Any]) -> Members:
    certificates = body.get("certificates", "single")
    if certificates not in ("none", "single", "chain"):
        raise InvalidParameterError("certificates")
    return Members(certificates, cert_info=_boolean(body, "certInfo"), auth_info=_boolean(body, "authInfo"))


def _string(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise MissingParameterError(name)
    return value


def _boolean(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidParameterError(name)
    return value


def _refuse_odd_client_data(body: dict[str, Any]) -> None:
    for name in ("clientData", "lang"):
        if not isinstance(body.get(name, ""), str):
            raise InvalidParameterError(name)


# --- Answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CredentialDescription:
    """What a credential's owner may know of it. ``chain`` is DER, the signer's certificate first."""

    credential_id: str
    description: str
    enabled: bool
    sign_algos: tuple[str, ...]
    bits: int
    curve_oid: str | None
    certificate_status: str
    certificate_policy: str
    chain: tuple[bytes, ...]
    issuer: str
    subject: str
    serial_number: int
    valid_from: datetime
    valid_to: datetime
    scal: str
    auth_mode: str
    multisign: int


def write_credential(found: CredentialDescription, members: Members, version: Version) -> dict[str, Any]:
    """The members of ``credentials/info``; ``certificatePolicy`` is our own."""
    key: dict[str, Any] = {
        "status": "enabled" if found.enabled and found.certificate_status == "valid" else "disabled",
        "algo": list(found.sign_algos),
        "len": found.bits,
    }
    if found.curve_oid is not None:
        key["curve"] = found.curve_oid
    answer = {"description": found.description, "key": key, "cert": _write_certificate(found, members)}
    if version == 1:
        answer["authMode"] = found.auth_mode
    else:
        answer["auth"] = {"mode": found.auth_mode, "objects": []}
    return answer | {
        "SCAL": found.scal,
        "multisign": found.multisign,
        "lang": "en",
        "certificatePolicy": found.certificate_policy,
    }


@dataclass(frozen=True)
class RequestDescription:
    """Where a request for a certificate stands: what its owner may know. ``state`` is waiting, approved, issued,
    refused or expired."""

    credential_id: str
    description: str
    certificate_policy: str
    sign_algos: tuple[str, ...]
    bits: int
    curve_oid: str | None
    state: str
    reason: str
    requested: datetime
    expires: datetime


def write_request(found: RequestDescription, version: Version) -> dict[str, Any]:
    """A credential that cannot be used, since it has no certificate; ``certificateRequest`` is our own
    (docs/protocols.md, section 7)."""
    key: dict[str, Any] = {"status": "disabled", "algo": list(found.sign_algos), "len": found.bits}
    if found.curve_oid is not None:
        key["curve"] = found.curve_oid
    return {
        "description": found.description,
        "key": key,
        "cert": {"certificates": []},
        **({"authMode": "oauth2code"} if version == 1 else {"auth": {"mode": "oauth2code", "objects": []}}),
        "multisign": 1,
        "certificatePolicy": found.certificate_policy,
        "certificateRequest": _write_request_state(found),
    }


@dataclass(frozen=True)
class StandingDescription:
    """What certificates for one signature are made of. ``validity`` is how long each is good for."""

    credential_id: str
    description: str
    certificate_policy: str
    sign_algos: tuple[str, ...]
    bits: int
    curve_oid: str | None
    subject: str
    validity: timedelta
    since: datetime
    expires: datetime


def write_standing(found: StandingDescription) -> dict[str, Any]:
    """A credential whose certificate is made for each signature (version 2); ``shortLived`` is our own
    (docs/protocols.md, section 7)."""
    key: dict[str, Any] = {"status": "enabled", "algo": list(found.sign_algos), "len": found.bits}
    if found.curve_oid is not None:
        key["curve"] = found.curve_oid
    return {
        "description": found.description,
        "key": key,
        "cert": {
            "certificates": [],
            "subjectDN": found.subject,
            "validFrom": write_time(found.since),
            "validTo": write_time(found.expires),
        },
        "auth": {"mode": "oauth2code", "objects": []},
        "SCAL": "2",
        "multisign": 1,
        "lang": "en",
        "certificatePolicy": found.certificate_policy,
        "shortLived": {"validitySeconds": int(found.validity.total_seconds())},
    }


def _write_request_state(found: RequestDescription) -> dict[str, Any]:
    answer = {
        "state": found.state,
        "requestedAt": write_time(found.requested),
        "expiresAt": write_time(found.expires),
    }
    return answer | ({"reason": found.reason} if found.state == "refused" and found.reason else {})


def _write_certificate(found: CredentialDescription, members: Members) -> dict[str, Any]:
    cert: dict[str, Any] = {"status": found.certificate_status}
    shown = {"none": 0, "single": 1, "chain": len(found.chain)}[members.certificates]
    if shown:
        cert["certificates"] = [base64.b64encode(item).decode() for item in found.chain[:shown]]
    if members.cert_info:
        cert |= {
            "issuerDN": found.issuer,
            "serialNumber": f"{found.serial_number:X}",
            "subjectDN": found.subject,
            "validFrom": write_time(found.valid_from),
            "validTo": write_time(found.valid_to),
        }
    return cert


def write_time(moment: datetime) -> str:
    """GeneralizedTime as CSC has it: ``YYYYMMDDHHMMSSZ``."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def write_response_id(response_id: str) -> dict[str, Any]:
    return {"responseID": response_id}


def write_signatures(signatures: Sequence[bytes]) -> dict[str, Any]:
    return {"signatures": [base64.b64encode(item).decode() for item in signatures]}


def write_sad(sad: str, seconds: int) -> dict[str, Any]:
    return {"SAD": sad, "expiresIn": seconds}


@dataclass(frozen=True)
class ServiceDescription:
    """What ``info`` tells of the service; ``sign_algos`` pairs each OID with its DER parameters, if it needs any."""

    name: str
    logo: str
    region: str
    description: str
    issuer: str
    auth_types: tuple[str, ...]
    methods: tuple[str, ...]
    sign_algos: tuple[tuple[str, bytes | None], ...]


def write_info(service: ServiceDescription, version: Version) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "specs": {1: "1.0.4.0", 2: "2.0.0.0"}[version],
        "name": service.name,
        "logo": service.logo,
        "region": service.region,
        "lang": "en",
        "description": service.description,
        "authType": list(service.auth_types),
        "methods": list(service.methods),
    }
    if version == 1:
        # A client of version 1 appends "oauth2/authorize" and the like.
        return answer | {"oauth2": f"{service.issuer}/"}
    parameters = [None if params is None else base64.b64encode(params).decode() for _, params in service.sign_algos]
    return answer | {
        "oauth2Issuer": service.issuer,
        "asynchronousOperationMode": True,
        "validationInfo": False,
        "signAlgorithms": {"algos": [oid for oid, _ in service.sign_algos], "algoParams": parameters},
        # Formats and levels are of signDoc, which is not offered.
        "signature_formats": {"formats": [], "envelope_properties": []},
        "conformance_levels": [],
        "supportsRar": True,
        "supportedHashTypes": ["dtbsr"],
    }
