"""Logging a person in, as an OpenID client (OpenID Connect Core 1.0; RFC 9126 pushed requests; RFC 7636 S256)."""

import base64
import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from django.conf import settings
from django.utils.translation import get_language
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from signapp.clients.answers import json_object
from signapp.clients.client_authentication import own_credentials
from signapp.clients.http import client_for
from signapp.errors import AuthorizationServerUnavailableError, LoginNotVerifiedError, LoginRequiredError
from signapp.wire import AnswerError, Tokens, parse_pushed, parse_tokens

log = logging.getLogger(__name__)

# By which the issuer signs what it tells us.
ALGORITHMS = ("RS256",)
SCOPE = "openid email profile service"


@dataclass(frozen=True)
class VerifiedIdentity:
    """Who an ID token speaks of, once its signature and claims were verified."""

    issuer: str
    subject: str
    email: str
    name: str
    is_operator: bool
    session_id: str = ""


def push_request(*, state: str, nonce: str, verifier: str, prompt: str) -> str:
    """The address to send the browser to. Raises `AuthorizationServerUnavailableError`, also for a refusal: the request
    is always the same, so a refusal is a fault of the installation."""
    form: dict[str, Any] = {
        "response_type": "code",
        "client_id": settings.SIGNAPP_CLIENT_ID,
        "redirect_uri": settings.LOGIN_REDIRECT_URI,
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        # The page that leads there and the one that follows speak alike.
        "ui_locales": get_language() or settings.LANGUAGE_CODE,
        "resource": [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE],
        **({"prompt": prompt} if prompt else {}),
    }
    response = _post("pushed_authorize", form)
    try:
        pushed = parse_pushed(json_object(response) if response.is_success else {})
    except AnswerError:
        log.error("pushed_authorize answered %s", response.status_code)
        raise AuthorizationServerUnavailableError from None
    query = urlencode({"client_id": settings.SIGNAPP_CLIENT_ID, "request_uri": pushed.request_uri})
    return f"{authorization_endpoint()}?{query}"


def redeem_code(*, code: str, verifier: str) -> Tokens:
    """Raises `LoginNotVerifiedError` if the code is worth nothing."""
    return _tokens(
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.LOGIN_REDIRECT_URI,
            "code_verifier": verifier,
        },
        LoginNotVerifiedError,
    )


def refresh_tokens(*, refresh_token: str) -> Tokens:
    """Swaps a refresh token, which is spent by it. Raises `LoginRequiredError` if it is worth nothing any more."""
    return _tokens({"grant_type": "refresh_token", "refresh_token": refresh_token}, LoginRequiredError)


def _tokens(form: dict[str, str], refused: type[LoginNotVerifiedError | LoginRequiredError]) -> Tokens:
    response = _post("token", form)
    body = json_object(response)
    if response.status_code == httpx.codes.BAD_REQUEST and body.get("error") == "invalid_grant":
        raise refused
    try:
        return parse_tokens(body if response.status_code == httpx.codes.OK else {})
    except AnswerError as error:
        log.error("token answered %s: %s", response.status_code, error)
        raise AuthorizationServerUnavailableError from None


def verify_id_token(*, id_token: str, nonce: str) -> VerifiedIdentity:
    """By the issuer's published keys; issuer, audience, times and nonce. Raises `LoginNotVerifiedError`."""
    try:
        claims = jwt.decode(id_token, read_keys(), algorithms=list(ALGORITHMS)).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": settings.ISSUER},
            aud={"essential": True, "value": settings.SIGNAPP_CLIENT_ID},
            azp={"essential": False, "value": settings.SIGNAPP_CLIENT_ID},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
        ).validate(claims)
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject or len(subject) > 255:
            raise LoginNotVerifiedError
    except (JoseError, KeyError, TypeError, ValueError) as error:
        log.warning("the ID token was not accepted: %s", type(error).__name__)
        raise LoginNotVerifiedError from None
    return VerifiedIdentity(
        issuer=settings.ISSUER,
        subject=subject,
        email=str(claims.get("email", ""))[:254],
        name=str(claims.get("name", ""))[:255],
        is_operator=claims.get("operator") is True,
        session_id=read_session_id(claims),
    )


def algorithms() -> tuple[str, ...]:
    """By which the server's tokens are signed."""
    return ALGORITHMS


def read_keys(*, key_id: object = None) -> KeySet:
    """The issuer's published keys, whichever is named. Raises `AuthorizationServerUnavailableError`; `ValueError` or
    one of its library's for what is no key set."""
    return KeySet.import_key_set(_get("jwks", token=None).json())


def read_session_id(claims: dict[str, Any]) -> str:
    """``sid`` (OpenID Connect Front-Channel Logout 1.0, 3), or nothing where there is none that could be kept."""
    sid = claims.get("sid")
    return sid if isinstance(sid, str) and len(sid) <= 255 else ""


def is_token_live(*, token: str, subject: str) -> bool:
    """Whether the server still knows this token as this person's (``userinfo``); one that is away is not asked twice.

    Raises `AuthorizationServerUnavailableError`.
    """
    response = _get("userinfo", token=token)
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return False
    if response.status_code != httpx.codes.OK:
        raise AuthorizationServerUnavailableError
    return json_object(response).get("sub") == subject


@dataclass(frozen=True)
class Address:
    """An account's e-mail address, and whether the server has seen that it is the account's."""

    email: str
    is_verified: bool


def read_address(*, token: str) -> Address:
    """As the server knows it now (``userinfo``). Raises `LoginRequiredError`, `AuthorizationServerUnavailableError`."""
    response = _get("userinfo", token=token)
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise LoginRequiredError
    if response.status_code != httpx.codes.OK:
        raise AuthorizationServerUnavailableError
    body = json_object(response)
    return Address(str(body.get("email", "")), body.get("email_verified") is True)


def authorization_endpoint() -> str:
    """Where browsers are sent, and nowhere else."""
    return f"{settings.ISSUER}/oauth2/authorize"


def verify_issuer(iss: str) -> None:
    """Whether it is our server's answer that a browser brought (RFC 9207). Raises `LoginNotVerifiedError`."""
    if not secrets.compare_digest(iss.encode(), settings.ISSUER.encode()):
        raise LoginNotVerifiedError


def logout_address(*, id_token: str) -> str:
    """Empty: who logs out here stays logged in there."""
    return ""


def revoke_token(*, refresh_token: str) -> None:
    """RFC 7009. Raises `AuthorizationServerUnavailableError`."""
    _post("revoke", {"token": refresh_token, "token_type_hint": "refresh_token"})


def _post(endpoint: str, form: dict[str, Any]) -> httpx.Response:
    try:
        return client_for(settings.ISSUER).post(
            f"{settings.ISSUER}/oauth2/{endpoint}", data=form, auth=own_credentials()
        )
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError from None


def _get(endpoint: str, *, token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return client_for(settings.ISSUER).get(f"{settings.ISSUER}/oauth2/{endpoint}", headers=headers)
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError from None
