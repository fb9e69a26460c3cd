"""Logging a person in at another OpenID provider, in authz's place (docs/operations/external-identity-provider.md).

What `signapp.clients.authorization_server` does with authz, by what the provider's metadata name and no more than
OpenID Connect Core 1.0 asks of anybody: pushed requests (RFC 9126), ``iss`` (RFC 9207), revocation (RFC 7009), refresh
tokens and logout (OpenID Connect RP-Initiated Logout 1.0) where it has them.
"""

import base64
import hashlib
import logging
import secrets
from typing import Any
from urllib.parse import urlencode

import httpx
from django.conf import settings
from django.utils.translation import get_language

from signapp.clients import external, id_tokens
from signapp.clients.answers import json_object
from signapp.clients.authorization_server import VerifiedIdentity, read_session_id
from signapp.clients.client_authentication import own_credentials
from signapp.clients.http import client_for
from signapp.errors import AuthorizationServerUnavailableError, LoginNotVerifiedError, LoginRequiredError
from signapp.wire import AnswerError, Tokens, parse_external_tokens, parse_pushed

log = logging.getLogger(__name__)

LOGGED_OUT_URI = f"{settings.SIGNAPP_URL}/logged-out"


def push_request(*, state: str, nonce: str, verifier: str, prompt: str) -> str:
    """The address to send the browser to; pushed, where the provider takes that. Who is logged in there already is not
    asked again, and ``prompt`` is authz's: accounts are made where the provider says.

    Raises `AuthorizationServerUnavailableError`, also for a refusal.
    """
    form: dict[str, Any] = {
        "response_type": "code",
        "client_id": settings.SIGNAPP_CLIENT_ID,
        "redirect_uri": settings.LOGIN_REDIRECT_URI,
        "scope": settings.EXTERNAL_LOGIN_SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        # The page that leads there and the one that follows speak alike.
        "ui_locales": get_language() or settings.LANGUAGE_CODE,
        **_audiences(),
    }
    address = authorization_endpoint()
    if external.read_metadata(issuer=settings.EXTERNAL_ISSUER).get("pushed_authorization_request_endpoint") is None:
        return _with_query(address, form)
    response = _post("pushed_authorization_request_endpoint", form)
    try:
        pushed = parse_pushed(json_object(response) if response.is_success else {})
    except AnswerError:
        log.error("the pushed request was answered %s", response.status_code)
        raise AuthorizationServerUnavailableError from None
    return _with_query(address, {"client_id": settings.SIGNAPP_CLIENT_ID, "request_uri": pushed.request_uri})


def _with_query(address: str, values: dict[str, Any]) -> str:
    """An endpoint may have a query of its own (RFC 6749, 3.1)."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values, doseq=True)}"


def _audiences() -> dict[str, Any]:
    """The one token is for gateway and for rssp: by RFC 8707, or as the providers of before."""
    audiences = [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE]
    if settings.EXTERNAL_AUDIENCE_PARAMETER == "audience":
        return {"audience": " ".join(audiences)}
    return {"resource": audiences}


def redeem_code(*, code: str, verifier: str) -> Tokens:
    """Raises `LoginNotVerifiedError` if the code is worth nothing."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.LOGIN_REDIRECT_URI,
        "code_verifier": verifier,
    }
    return _tokens(form, LoginNotVerifiedError)


def refresh_tokens(*, refresh_token: str) -> Tokens:
    """Raises `LoginRequiredError` if there is none, or it is worth nothing any more; one that the provider does not
    rotate stays."""
    if not refresh_token:
        raise LoginRequiredError
    return _tokens({"grant_type": "refresh_token", "refresh_token": refresh_token}, LoginRequiredError)


def _tokens(form: dict[str, str], refused: type[LoginNotVerifiedError | LoginRequiredError]) -> Tokens:
    response = _post("token_endpoint", form)
    body = json_object(response)
    if response.status_code == httpx.codes.BAD_REQUEST and body.get("error") == "invalid_grant":
        raise refused
    if response.status_code != httpx.codes.OK:
        log.error("the token endpoint answered %s %s", response.status_code, str(body.get("error"))[:40])
        raise AuthorizationServerUnavailableError
    try:
        return parse_external_tokens(body, refresh_token=form.get("refresh_token", ""))
    except AnswerError as error:
        log.warning("the provider's tokens are of no use: %s", error)
        raise refused from None


def verify_id_token(*, id_token: str, nonce: str) -> VerifiedIdentity:
    """OpenID Connect Core 1.0, 3.1.3.7. An e-mail address that the provider has not verified is left out.

    Raises `LoginNotVerifiedError`, `AuthorizationServerUnavailableError`.
    """
    try:
        claims = id_tokens.verify_claims(id_token, client_id=settings.SIGNAPP_CLIENT_ID, nonce=nonce)
    except AnswerError as error:
        log.warning("the ID token was not accepted: %s", error)
        raise LoginNotVerifiedError from None
    email = claims.get("email") if claims.get("email_verified") is True else ""
    name = claims.get("name") or claims.get("preferred_username") or claims["sub"]
    return VerifiedIdentity(
        issuer=settings.ISSUER,
        subject=claims["sub"],
        email=email[:254] if isinstance(email, str) else "",
        name=name[:255] if isinstance(name, str) else claims["sub"],
        is_operator=False,
        session_id=read_session_id(claims),
    )


def algorithms() -> tuple[str, ...]:
    """By which the provider's tokens may be signed."""
    return id_tokens.ALGORITHMS


def read_keys(*, key_id: object = None) -> external.Key:
    """The published key of this name. Raises `ValueError` for one that is not there, or
    `AuthorizationServerUnavailableError`."""
    key = external.find_key(key_id, issuer=settings.EXTERNAL_ISSUER) if isinstance(key_id, str) else None
    if key is None:
        raise ValueError("an unknown key")
    return key


def authorization_endpoint() -> str:
    """As the metadata name it. Raises `AuthorizationServerUnavailableError`."""
    return external.read_address("authorization_endpoint", issuer=settings.EXTERNAL_ISSUER)


def verify_issuer(iss: str) -> None:
    """RFC 9207: right where it is given, and given where the metadata promise it. Raises `LoginNotVerifiedError`."""
    promised = (
        external.read_metadata(issuer=settings.EXTERNAL_ISSUER).get("authorization_response_iss_parameter_supported")
        is True
    )
    if (iss or promised) and not secrets.compare_digest(iss.encode(), settings.ISSUER.encode()):
        raise LoginNotVerifiedError


def is_token_live(*, token: str, subject: str) -> bool:
    """Taken for live until it ends: a token for our own services opens no ``userinfo`` at a provider that keeps
    audiences apart. What was ended there ends here with the next refresh."""
    return True


def logout_address(*, id_token: str) -> str:
    """Where the provider ends its own session, and whence the browser comes back; empty if it has no such address."""
    if external.read_metadata(issuer=settings.EXTERNAL_ISSUER).get("end_session_endpoint") is None:
        return ""
    told = {
        "client_id": settings.SIGNAPP_CLIENT_ID,
        "post_logout_redirect_uri": LOGGED_OUT_URI,
        **({"id_token_hint": id_token} if id_token else {}),
    }
    return _with_query(external.read_address("end_session_endpoint", issuer=settings.EXTERNAL_ISSUER), told)


def revoke_token(*, refresh_token: str) -> None:
    """Where there is one, and the provider revokes (RFC 7009). Raises `AuthorizationServerUnavailableError`."""
    if refresh_token and external.read_metadata(issuer=settings.EXTERNAL_ISSUER).get("revocation_endpoint") is not None:
        _post("revocation_endpoint", {"token": refresh_token, "token_type_hint": "refresh_token"})


def _post(endpoint: str, form: dict[str, Any]) -> httpx.Response:
    try:
        return client_for(settings.ISSUER).post(
            external.read_address(endpoint, issuer=settings.EXTERNAL_ISSUER), data=form, auth=own_credentials()
        )
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError from None
