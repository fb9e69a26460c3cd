"""Asking another OpenID provider, in authz's place, for an approval (docs/operations/external-identity-provider.md).

It can be asked for a token of the scope ``credential``: that this person logs in again and grants one signature.
Nothing that says what is signed is sent; the provider would not show it. What comes back beside the token is an ID
token, by which it is the same person, who logged in after being asked, answering this request.
"""

import base64
import hashlib
import json
import logging
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from django.conf import settings

from gateway.clients import external, id_tokens
from gateway.clients.answers import json_object
from gateway.clients.authorization_server import TOKEN_ERRORS, PushedRequest, post_form, refusal
from gateway.errors import (
    ApprovalRefusedError,
    AuthorizationServerNotReachedError,
    AuthorizationServerUnavailableError,
)
from gateway.wire import AnswerError, ExternalTokenAnswer, parse_external_token_answer

log = logging.getLogger(__name__)

SCOPE = "openid credential"
_SECONDS_TO_FOLLOW = 600
_CLOCKS_DIFFER = 60


@dataclass(frozen=True)
class Question:
    """What only the asker knows of a request, and when (seconds since 1970) it was made; kept until the answer."""

    verifier: str
    nonce: str
    asked: int

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Question":
        return cls(**json.loads(text))


def make_question() -> Question:
    return Question(secrets.token_urlsafe(48), secrets.token_urlsafe(32), int(time.time()))


def request_approval(*, question: Question, state: str) -> PushedRequest:
    """Where to send the browser; pushed (RFC 9126), where the provider takes that.

    Raises `ApprovalRefusedError` or `AuthorizationServerUnavailableError`.
    """
    challenge = base64.urlsafe_b64encode(hashlib.sha256(question.verifier.encode()).digest()).rstrip(b"=").decode()
    form = {
        "response_type": "code",
        "client_id": settings.GATEWAY_CLIENT_ID,
        "redirect_uri": settings.APPROVAL_REDIRECT_URI,
        "scope": SCOPE,
        "state": state,
        "nonce": question.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": "login consent",
        # Has the ID token say when that was. Not 0, which some take for nothing.
        "max_age": "1",
        settings.EXTERNAL_AUDIENCE_PARAMETER: settings.RSSP_RESOURCE,
    }
    address = external.read_address("authorization_endpoint", issuer=settings.EXTERNAL_ISSUER)
    if external.read_metadata(issuer=settings.EXTERNAL_ISSUER).get("pushed_authorization_request_endpoint") is None:
        return PushedRequest(_with_query(address, form), _SECONDS_TO_FOLLOW)
    response = post_form(
        external.read_address("pushed_authorization_request_endpoint", issuer=settings.EXTERNAL_ISSUER), form
    )
    body = json_object(response)
    request_uri, expires_in = body.get("request_uri"), body.get("expires_in")
    if response.status_code not in {200, 201} or not isinstance(request_uri, str) or not isinstance(expires_in, int):
        raise refusal(response, body, {"invalid_client": AuthorizationServerUnavailableError})
    query = {"client_id": settings.GATEWAY_CLIENT_ID, "request_uri": request_uri}
    return PushedRequest(_with_query(address, query), expires_in)


def _with_query(address: str, values: dict[str, str]) -> str:
    """An endpoint may have a query of its own (RFC 6749, 3.1)."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values)}"


def redeem_code(*, code: str, question: Question, subject: str) -> ExternalTokenAnswer:
    """Spends the code. Raises approval errors, `ApprovalRefusedError` too if somebody else answered or nobody logged in
    anew; `AuthorizationServerNotReachedError` if the code was not spent."""
    form: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.APPROVAL_REDIRECT_URI,
        "code_verifier": question.verifier,
    }
    if settings.EXTERNAL_AUDIENCE_PARAMETER == "resource":
        form["resource"] = settings.RSSP_RESOURCE
    response = post_form(_token_endpoint(), form)
    body = json_object(response)
    if response.status_code != httpx.codes.OK:
        raise refusal(response, body, TOKEN_ERRORS)
    try:
        answer = parse_external_token_answer(body)
        claims = id_tokens.verify_claims(answer.id_token, client_id=settings.GATEWAY_CLIENT_ID, nonce=question.nonce)
        _verify_login(claims, question, subject)
    except AnswerError as error:
        log.warning("the provider's answer does not fit the approval that was asked for: %s", error)
        raise ApprovalRefusedError from None
    return answer


def _token_endpoint() -> str:
    """Nothing is spent where it is not known."""
    try:
        return external.read_address("token_endpoint", issuer=settings.EXTERNAL_ISSUER)
    except AuthorizationServerUnavailableError:
        raise AuthorizationServerNotReachedError from None


def _verify_login(claims: dict[str, Any], question: Question, subject: str) -> None:
    logged_in = claims.get("auth_time")
    if claims["sub"] != subject:
        raise AnswerError("another person")
    if type(logged_in) is not int or logged_in < question.asked - _CLOCKS_DIFFER:
        raise AnswerError("no new login, or the provider does not say when it was")
