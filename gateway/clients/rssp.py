"""The CSC API of a remote signing service, v2 (docs/protocols.md, section 7)."""

import base64
import binascii
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from django.conf import settings

from gateway.clients.answers import json_object
from gateway.clients.failures import NOT_REACHED
from gateway.clients.http import client_for
from gateway.errors import (
    ApprovalExpiredError,
    ApprovalRefusedError,
    CredentialNotUsableError,
    GatewayError,
    IdentityRefusedError,
    InvalidTokenError,
    OutcomeUnknownError,
    SigningServiceUnavailableError,
    TooManyPreparedError,
    WrongStateError,
)
from gateway.wire import (
    OAUTH,
    SEAL,
    AnswerError,
    CertificateRequest,
    Credential,
    is_opened_by,
    parse_certificate_request,
    parse_credential,
    parse_passkeys,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_MEMBERS = {"certificates": "chain", "certInfo": True, "authInfo": True}


def service_info() -> dict[str, Any]:
    """``info``: needs no token. Raises `SigningServiceUnavailableError`."""
    return _answer(_post("info", {}, token=None))


@dataclass(frozen=True)
class Listing:
    """What a user has at the signing service."""

    credentials: list[Credential]
    requests: list[CertificateRequest]


def list_credentials(*, token: str, seal_owner: str = "") -> Listing:
    """The user's own: credentials that OAuth opens, and requests. One that cannot be read is left out and logged. With
    a client's own token those of ``seal_owner`` that the client may seal with."""
    owner = {"userID": seal_owner} if seal_owner else {}
    mode = SEAL if seal_owner else OAUTH
    body = _answer(_post("credentials/list", {"credentialInfo": True, **_MEMBERS, **owner}, token=token))
    infos = body.get("credentialInfos")
    ours = [info for info in infos if is_opened_by(mode, info)] if isinstance(infos, list) else infos
    return Listing(
        _parse_each(ours, lambda info: parse_credential(info, mode=mode)),
        _parse_each(body.get("certificateRequests"), parse_certificate_request),
    )


def _parse_each(infos: Any, parse: Callable[[Any], T]) -> list[T]:
    found: list[T] = []
    for info in infos if isinstance(infos, list) else []:
        try:
            found.append(parse(info))
        except AnswerError as error:
            log.warning("credentials/list: %s", error)
    return found


def read_credential(*, token: str, credential_id: str, is_seal: bool = False) -> Credential:
    """``credentials/info``. Raises `CredentialNotUsableError` if it is not this user's, or no seal of this client's, or
    not readable."""
    body = _answer(_post("credentials/info", {"credentialID": credential_id, **_MEMBERS}, token=token))
    return _parse_credential(body, credential_id, SEAL if is_seal else OAUTH)


def prepare_credential(*, token: str, credential_id: str) -> Credential:
    """``credentials/prepareCertificate``: a credential for one signature, made of a short-lived one (our own method,
    docs/protocols.md, section 7). Raises `TooManyPreparedError`, `CredentialNotUsableError`."""
    response = _post("credentials/prepareCertificate", {"credentialID": credential_id, **_MEMBERS}, token=token)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise TooManyPreparedError
    return _parse_credential(_answer(response), None)


def create_credential(*, token: str, certificate_policy: str, key_algorithm: str) -> Credential | CertificateRequest:
    """``credentials/create`` with a token of scope ``credential-creation``: a credential, or a request that waits."""
    wanted = {"certificatePolicy": certificate_policy, "keyAlgorithm": key_algorithm}
    response = _post("credentials/create", {"credentialCreationRequest": wanted, **_MEMBERS}, token=token)
    if response.status_code in {401, 403}:
        raise ApprovalExpiredError
    if 400 <= response.status_code < 500:
        log.warning("credentials/create answered %s", _described(response))
        raise ApprovalRefusedError
    if response.status_code == httpx.codes.ACCEPTED:
        return _parse_request(json_object(response))
    return _parse_credential(_answer(response), None)


def begin_identification(*, token: str, credential_id: str, state: str) -> str:
    """``credentials/identify``, our own: the address where a request's owner shows who they are. Raises
    `WrongStateError` where nobody is asked this, `CredentialNotUsableError` where there is no such request."""
    response = _post("credentials/identify", {"credentialID": credential_id, "state": state}, token=token)
    if response.status_code == httpx.codes.CONFLICT:
        raise WrongStateError
    address = _answer(response).get("authorizationURL")
    if not isinstance(address, str):
        raise SigningServiceUnavailableError
    return address


def complete_identification(*, token: str, credential_id: str, state: str, code: str, iss: str) -> CertificateRequest:
    """``credentials/identified``, our own: where the request stands then. Raises `IdentityRefusedError`, and
    `WrongStateError` where it was decided in between."""
    given = {"credentialID": credential_id, "state": state, "code": code} | ({"iss": iss} if iss else {})
    response = _post("credentials/identified", given, token=token)
    if response.status_code == httpx.codes.CONFLICT:
        raise WrongStateError
    if response.status_code == httpx.codes.BAD_REQUEST:
        log.warning("credentials/identified answered %s", _described(response))
        raise IdentityRefusedError
    return _parse_request(_answer(response))


def change_passkeys(*, token: str, credential_id: str, action: str) -> list[dict[str, str]]:
    """``credentials/changePasskeys``, our own, with a token of scope ``passkey-binding``: what is bound afterwards
    (docs/protocols.md, section 7)."""
    response = _post("credentials/changePasskeys", {"credentialID": credential_id, "action": action}, token=token)
    if response.status_code in {401, 403}:
        raise ApprovalExpiredError
    if 400 <= response.status_code < 500:
        log.warning("credentials/changePasskeys answered %s", _described(response))
        raise ApprovalRefusedError
    return parse_passkeys(_answer(response))


def sign_digests(
    *,
    token: str,
    credential_id: str,
    digests: Sequence[bytes],
    hash_algorithm_oid: str,
    sign_algo: str,
    sign_algo_params: str | None,
    sad: str | None = None,
) -> list[bytes]:
    """``signatures/signHash`` with the approval's token alone, or with a client's own and its ``sad``: a signature
    value for each digest, in their order, or none at all.

    Raises `SigningServiceUnavailableError` if the service certainly did nothing, approval and credential errors if
    it refused, `OutcomeUnknownError` if it may have signed.
    """
    body: dict[str, Any] = {
        "credentialID": credential_id,
        "hashes": [base64.b64encode(digest).decode() for digest in digests],
        "hashAlgorithmOID": hash_algorithm_oid,
        "signAlgo": sign_algo,
        "operationMode": "S",
    }
    if sad is not None:
        body["SAD"] = sad
    if sign_algo_params is not None:
        body["signAlgoParams"] = sign_algo_params
    try:
        response = _send("signatures/signHash", body, token)
    except NOT_REACHED:
        raise SigningServiceUnavailableError from None
    except httpx.TransportError:
        raise OutcomeUnknownError from None
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise SigningServiceUnavailableError
    if 400 <= response.status_code < 500:
        raise _signing_refusal(response)
    try:
        values = response.json()["signatures"]
        if not isinstance(values, list) or len(values) != len(digests):
            raise ValueError(values)  # noqa: TRY301  (answered like every other misshapen answer)
        return [base64.b64decode(value, validate=True) for value in values]
    except (KeyError, TypeError, ValueError, binascii.Error):
        log.error("signatures/signHash answered %s with no signature", response.status_code)
        raise OutcomeUnknownError from None


def _signing_refusal(response: httpx.Response) -> GatewayError:
    described = _described(response)
    log.warning("signatures/signHash answered %s", described)
    if response.status_code == httpx.codes.UNAUTHORIZED or "SAD expired" in described:
        return ApprovalExpiredError()
    if "certificate" in described or "disabled" in described:
        return CredentialNotUsableError()
    return ApprovalRefusedError()


def _described(response: httpx.Response) -> str:
    body = json_object(response)
    return f"{response.status_code} {body.get('error')} {body.get('error_description')}"[:300]


def _send(method: str, body: dict[str, Any], token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client_for(settings.CSC_BASE_URL).post(f"{settings.CSC_BASE_URL}/v2/{method}", json=body, headers=headers)


def _post(method: str, body: dict[str, Any], *, token: str | None) -> httpx.Response:
    try:
        return _send(method, body, token)
    except httpx.TransportError:
        raise SigningServiceUnavailableError from None


def _answer(response: httpx.Response) -> dict[str, Any]:
    """The answer's object, for the calls that change nothing: any failure but a refusal may be tried again."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise InvalidTokenError
    if response.status_code in {200, 201}:
        return json_object(response)
    log.warning("%s answered %s", response.request.url.path, _described(response))
    if 400 <= response.status_code < 500:
        raise CredentialNotUsableError
    raise SigningServiceUnavailableError


def _parse_request(body: dict[str, Any]) -> CertificateRequest:
    try:
        return parse_certificate_request(body)
    except AnswerError as error:
        log.error("the signing service described a request that cannot be read: %s", error)
        raise CredentialNotUsableError from None


def _parse_credential(body: dict[str, Any], credential_id: str | None, mode: str = OAUTH) -> Credential:
    try:
        return parse_credential(body, credential_id, mode=mode)
    except AnswerError as error:
        log.error("the signing service described a credential that cannot be used: %s", error)
        raise CredentialNotUsableError from None
