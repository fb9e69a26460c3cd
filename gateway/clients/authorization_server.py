"""Asking for an approval and taking its token, as the one confidential signing client.

RFC 9126 (pushed requests), RFC 7636 (S256), RFC 9396 (authorization_details), RFC 8707 (the token is for the
signing service alone).
"""

import base64
import hashlib
import json
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from django.conf import settings

from gateway.clients.answers import json_object
from gateway.clients.client_authentication import own_credentials
from gateway.clients.failures import NOT_REACHED
from gateway.clients.http import client_for
from gateway.errors import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalNotOfferedError,
    ApprovalRefusedError,
    AuthorizationServerNotReachedError,
    AuthorizationServerUnavailableError,
    GatewayError,
)
from gateway.wire import AnswerError, TokenAnswer, parse_token_answer

log = logging.getLogger(__name__)

TOKEN_ERRORS: dict[str, type[GatewayError]] = {
    "invalid_grant": ApprovalExpiredError,
    "access_denied": ApprovalDeniedError,
    "invalid_client": AuthorizationServerUnavailableError,
    "temporarily_unavailable": AuthorizationServerUnavailableError,
}


@dataclass(frozen=True)
class PushedRequest:
    """Where to send the browser, and for how many seconds that works. The address holds no digest, label or token."""

    authorization_url: str
    expires_in: int


def push_request(
    *, scope: str, details: list[dict[str, Any]], state: str, verifier: str, redirect_uri: str = ""
) -> PushedRequest:
    """``redirect_uri`` is where the browser comes back: signapp's callback unless another one is named.

    Raises `ApprovalRefusedError` or `AuthorizationServerUnavailableError`; `ApprovalNotOfferedError` where no server
    knows such details.
    """
    if settings.EXTERNAL_ISSUER:
        raise ApprovalNotOfferedError
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    response = _post(
        "pushed_authorize",
        {
            "response_type": "code",
            "client_id": settings.GATEWAY_CLIENT_ID,
            "redirect_uri": redirect_uri or settings.APPROVAL_REDIRECT_URI,
            "scope": scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "authorization_details": json.dumps(details, ensure_ascii=False),
            "resource": settings.RSSP_RESOURCE,
        },
    )
    body = json_object(response)
    request_uri, expires_in = body.get("request_uri"), body.get("expires_in")
    if response.status_code not in {200, 201} or not isinstance(request_uri, str) or not isinstance(expires_in, int):
        raise refusal(response, body, {"invalid_client": AuthorizationServerUnavailableError})
    query = urlencode({"client_id": settings.GATEWAY_CLIENT_ID, "request_uri": request_uri})
    return PushedRequest(f"{settings.ISSUER}/oauth2/authorize?{query}", expires_in)


def redeem_code(*, code: str, verifier: str, redirect_uri: str = "") -> TokenAnswer:
    """Spends the code (RFC 6749, 4.1.3). Raises approval errors; `AuthorizationServerNotReachedError` if it was not
    spent."""
    response = _post(
        "token",
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri or settings.APPROVAL_REDIRECT_URI,
            "code_verifier": verifier,
            "resource": settings.RSSP_RESOURCE,
        },
    )
    body = json_object(response)
    if response.status_code != httpx.codes.OK:
        raise refusal(response, body, TOKEN_ERRORS)
    try:
        return parse_token_answer(body)
    except AnswerError:
        log.error("the token endpoint's answer lacks a member")
        raise ApprovalRefusedError from None


def _post(endpoint: str, form: dict[str, str]) -> httpx.Response:
    return post_form(f"{settings.ISSUER}/oauth2/{endpoint}", form)


def post_form(address: str, form: dict[str, Any]) -> httpx.Response:
    """As the signing client. Raises `AuthorizationServerUnavailableError`, or `AuthorizationServerNotReachedError` if
    nothing left."""
    try:
        return client_for(settings.ISSUER).post(address, data=form, auth=own_credentials())
    except NOT_REACHED:
        raise AuthorizationServerNotReachedError from None
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError from None


def refusal(response: httpx.Response, body: dict[str, object], known: dict[str, type[GatewayError]]) -> GatewayError:
    """What an OAuth error (RFC 6749, 5.2) is here."""
    error = body.get("error")
    log.warning("%s answered %s %s", response.request.url.path, response.status_code, error)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return AuthorizationServerUnavailableError()
    return known.get(error if isinstance(error, str) else "", ApprovalRefusedError)()
