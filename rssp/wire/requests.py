"""What comes in, method by method.

Parsers are strict about what they need and ignore members that they do not know (CSC API v2, 10.1). The order in which
they look decides which of several mistakes is named; docs/csc-divergences.md gives it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rssp.errors import (
    EmptyHashError,
    InvalidParameterError,
    MissingParameterError,
    OutOfBoundsError,
    PollingUserIdError,
    UserIdError,
)
from rssp.wire.members import (
    HASH_ALGORITHM,
    HASHES,
    Members,
    Version,
    decode_base64,
    decode_hash,
    parse_boolean,
    parse_members,
    parse_string,
    refuse_odd_client_data,
)

PAGE_SIZE = 100
LONGEST_USER_ID = 255
_LONGEST_VALIDITY = 10**12  # milliseconds; a service's own bound is far below
# Why a certificate is revoked, as far as its own subject can say (RFC 5280, 5.3.1).
REVOCATION_REASONS = ("unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation")
PASSKEY_ACTIONS = ("bind", "unbind")
_NONCE = re.compile(r"[0-9A-Fa-f]{1,128}")


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
    """``signatures/signPolling``. The token finds the call, so ``userID`` is looked at and not kept."""

    response_id: str


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


@dataclass(frozen=True)
class DeleteRequest:
    """``credentials/delete``. ``revocation_reason`` is empty where the certificate is not to be revoked."""

    credential_id: str
    revocation_reason: str


@dataclass(frozen=True)
class ChangePasskeysRequest:
    """``credentials/changePasskeys``, our own. ``action`` is bind or unbind; which passkey is in the approval alone."""

    credential_id: str
    action: str


def parse_list_request(body: dict[str, Any], version: Version, *, is_user_known: bool) -> ListRequest:
    """A token that names its user leaves no room for ``userID``; any other one needs it."""
    user_id = _parse_user_id(body, is_user_known=is_user_known)
    refuse_odd_client_data(body)
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
        credential_info=parse_boolean(body, "credentialInfo"),
        only_valid=parse_boolean(body, "onlyValid"),
        members=parse_members(body),
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
    credential_id = parse_string(body, "credentialID")
    refuse_odd_client_data(body)
    return InfoRequest(credential_id, parse_members(body))


def parse_create_request(body: dict[str, Any]) -> CreateRequest:
    """docs/protocols.md, section 7."""
    wanted = body.get("credentialCreationRequest")
    if not isinstance(wanted, dict):
        raise MissingParameterError("credentialCreationRequest", kind="object")
    policy, algorithm = parse_string(wanted, "certificatePolicy"), parse_string(wanted, "keyAlgorithm")
    refuse_odd_client_data(body)
    return CreateRequest(policy, algorithm, parse_members(body))


def parse_change_passkeys_request(body: dict[str, Any]) -> ChangePasskeysRequest:
    """Raises `MissingParameterError` or `InvalidParameterError`."""
    credential_id = parse_string(body, "credentialID")
    action = parse_string(body, "action")
    if action not in PASSKEY_ACTIONS:
        raise InvalidParameterError("action")
    refuse_odd_client_data(body)
    return ChangePasskeysRequest(credential_id, action)


def parse_delete_request(body: dict[str, Any]) -> DeleteRequest:
    """docs/protocols.md, section 7."""
    wanted = body.get("credentialDeletionRequest")
    if not isinstance(wanted, dict):
        raise MissingParameterError("credentialDeletionRequest", kind="object")
    credential_id = parse_string(wanted, "credentialID")
    is_revoked, reason = parse_boolean(wanted, "revoke"), wanted.get("revocationReason")
    if reason is not None and (not is_revoked or reason not in REVOCATION_REASONS):
        raise InvalidParameterError("revocationReason")
    refuse_odd_client_data(body)
    return DeleteRequest(credential_id, (reason or REVOCATION_REASONS[0]) if is_revoked else "")


def parse_extend_request(body: dict[str, Any], version: Version) -> ExtendRequest:
    credential_id, sad = parse_string(body, "credentialID"), parse_string(body, "SAD")
    hashes = body.get(HASHES[version])
    if hashes is not None and not isinstance(hashes, list):
        raise MissingParameterError("hash", kind="array")
    # Version 1 names no algorithm here: the digests' length does.
    named = version == 2 and body.get("hashAlgorithmOID") is not None
    oid = parse_string(body, "hashAlgorithmOID") if named else None
    refuse_odd_client_data(body)
    return ExtendRequest(credential_id, sad, None if hashes is None else tuple(hashes), oid)


def parse_sign_hash_request(body: dict[str, Any], version: Version, *, needs_sad: bool) -> SignHashRequest:
    """Types first; `decode_hashes` looks into the hashes later."""
    credential_id = parse_string(body, "credentialID")
    sad = parse_string(body, "SAD") if needs_sad or "SAD" in body else None
    hashes = body.get(HASHES[version])
    if not isinstance(hashes, list):
        raise MissingParameterError("hash", kind="array")
    sign_algo = parse_string(body, "signAlgo")
    params = parse_string(body, "signAlgoParams") if body.get("signAlgoParams") is not None else None
    name = HASH_ALGORITHM[version]
    oid = parse_string(body, name) if body.get(name) is not None else None
    refuse_odd_client_data(body)
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
    response_id, user_id = parse_string(body, "requestID"), body.get("userID")
    if is_user_known and user_id is not None:
        raise PollingUserIdError("userID")
    if user_id is not None and (not isinstance(user_id, str) or not user_id):
        raise InvalidParameterError("userID")
    refuse_odd_client_data(body)
    return PollingRequest(response_id)


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
    digest = decode_hash(text)
    nonce = body.get("nonce")
    if nonce is not None and not (isinstance(nonce, str) and _NONCE.fullmatch(nonce)):
        raise InvalidParameterError("nonce")
    refuse_odd_client_data(body)
    return TimestampMembers(digest, oid, None if nonce is None else int(nonce, 16))


def _decode_params(params: str | None) -> bytes | None:
    if params is None:
        return None
    decoded = decode_base64(params)
    if not decoded:
        raise InvalidParameterError("signAlgoParams")
    return decoded
