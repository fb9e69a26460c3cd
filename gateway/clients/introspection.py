"""Who calls: RFC 7662 introspection of a bearer token, or what another provider signed into it (RFC 9068)."""

import logging
import time
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from gateway.clients import access_tokens, external
from gateway.clients.answers import json_object
from gateway.clients.client_authentication import own_credentials
from gateway.clients.http import client_for
from gateway.errors import AuthorizationServerUnavailableError, InvalidTokenError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VerifiedCaller:
    """Who is behind a live service token that is meant for this role: a user, or a client that ``acts_alone``, which is
    its own subject. The token opens the user's credentials list, nothing more. ``confirmation`` is what it is bound to
    (``cnf``, RFC 7800), or None; ``expires_at`` are seconds since 1970. ``seal_owner`` is whose seals a client may use,
    as an operator says (`services.callers`)."""

    issuer: str
    subject: str
    token: str
    confirmation: Any = None
    client_id: str = ""
    acts_alone: bool = False
    expires_at: float = 0.0
    seal_owner: str = ""

    def __repr__(self) -> str:
        return f"VerifiedCaller({self.issuer!r}, {self.subject!r})"


def verify_token(token: str) -> VerifiedCaller:
    """Raises `InvalidTokenError` or `AuthorizationServerUnavailableError`."""
    if settings.EXTERNAL_ISSUER:
        body = _ask_external(token)
    else:
        body = _introspect(f"{settings.ISSUER}/oauth2/introspect", token)
    issuer, subject, scope, expires = (body.get(name) for name in ("iss", "sub", "scope", "exp"))
    client_id = body.get("client_id") or ""
    audience = body.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not (
        body.get("active") is True
        and issuer == settings.ISSUER
        and isinstance(issuer, str)
        and isinstance(subject, str)
        and subject
        and isinstance(client_id, str)
        and isinstance(scope, str)
        and "service" in scope.split()
        and isinstance(named, list)
        and settings.GATEWAY_RESOURCE in named
        and isinstance(expires, int | float)
        and expires > time.time()
    ):
        raise InvalidTokenError
    acts_alone = body.get("gty") == "client_credentials" or subject == client_id
    if acts_alone and subject != client_id:
        raise InvalidTokenError
    return VerifiedCaller(issuer, subject, token, body.get("cnf"), client_id, acts_alone, float(expires))


def _ask_external(token: str) -> dict[str, Any]:
    """Another provider's claims: of a signed token as they stand in it (RFC 9068), of others as it answers. A client's
    own token has no person behind it, and there is nothing here for it: `InvalidTokenError`."""
    if settings.EXTERNAL_TOKENS == "jwt":
        claims = access_tokens.verify_claims(token)
    else:
        address = settings.EXTERNAL_INTROSPECTION_URL or external.read_address(
            "introspection_endpoint", issuer=settings.EXTERNAL_ISSUER
        )
        # Optional in an answer (RFC 7662, 2.2), which comes from there alone.
        claims = {"iss": settings.ISSUER} | _introspect(address, token)
        if not is_access_token(claims):
            raise InvalidTokenError
    if claims.get("sub") == (claims.get("client_id") or claims.get("azp")):
        raise InvalidTokenError
    return claims


def is_access_token(claims: dict[str, Any]) -> bool:
    """Providers call refresh tokens active too, and say what they are in members of their own."""
    use, kind = claims.get("token_use", "access_token"), claims.get("typ", "Bearer")
    return use == "access_token" and str(kind).lower() in {"bearer", "dpop", "at+jwt"}


def _introspect(address: str, token: str) -> dict[str, Any]:
    try:
        response = client_for(settings.ISSUER).post(
            address, data={"token": token, "token_type_hint": "access_token"}, auth=own_credentials()
        )
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError from None
    if response.status_code != httpx.codes.OK:
        log.error("introspection answered %s", response.status_code)
        raise AuthorizationServerUnavailableError
    return json_object(response)
