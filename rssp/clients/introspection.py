"""What the authorization server says of a token (RFC 7662; docs/protocols.md, section 3)."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings
from django.utils.module_loading import import_string

from rssp.clients import access_tokens, external
from rssp.clients.client_authentication import own_credentials
from rssp.clients.http import client_for
from rssp.errors import AuthorizationServerUnavailableError, InvalidTokenError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VerifiedToken:
    """A live token that is meant for this service. ``details`` and ``approval`` are the server's word, still to be
    verified; ``confirmation`` is what it is bound to (``cnf``, RFC 7800), or None; ``acr`` its login's level, or empty;
    ``checksum`` is the SHA-256 of the token, which itself is not kept. ``is_client``: no person is behind it, and
    ``subject`` is the client."""

    issuer: str
    client_id: str
    subject: str
    scopes: frozenset[str]
    expires_at: int
    checksum: str
    details: Any
    approval: Any
    is_client: bool = False
    confirmation: Any = None
    token_id: str = ""  # of another provider's: jti, or the checksum where it has none
    issued_at: int = 0
    acr: str = ""
    username: str = ""  # what an operator is called; the server says it of tokens of scope ``operator``

    def __repr__(self) -> str:
        return f"VerifiedToken({self.client_id!r}, {self.subject!r}, {sorted(self.scopes)!r})"


def checksum_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def verify_token(token: str) -> VerifiedToken:
    """Raises `InvalidTokenError` or `AuthorizationServerUnavailableError`."""
    if settings.EXTERNAL_ISSUER and settings.EXTERNAL_TOKENS == "jwt":
        body = access_tokens.verify_claims(token)
    else:
        body = _introspect(token)
    issuer, client_id, subject, scope = (body.get(name) for name in ("iss", "client_id", "sub", "scope"))
    audience, expires = body.get("aud"), body.get("exp")
    named = [audience] if isinstance(audience, str) else audience
    issued, token_id = body.get("iat", 0), body.get("jti", checksum_of(token))
    if settings.EXTERNAL_ISSUER:
        if not is_access_token(body):
            raise InvalidTokenError("no access token")
        client_id = client_id or body.get("azp")
        issuer = issuer or settings.ISSUER  # optional in an answer (RFC 7662, 2.2), which comes from there alone
    if not (
        body.get("active") is True
        and isinstance(issuer, str)
        and issuer == settings.ISSUER
        and isinstance(client_id, str)
        and client_id
        and isinstance(subject, str)
        and subject
        and isinstance(scope, str)
        and isinstance(named, list)
        and settings.RSSP_RESOURCE in named
        and type(expires) is int
        and type(issued) is int
        and isinstance(token_id, str)
        and token_id
        and expires > time.time()
    ):
        raise InvalidTokenError("the token is unknown, has ended or is for another service")
    return VerifiedToken(
        issuer=issuer,
        client_id=client_id,
        subject=subject,
        scopes=frozenset(scope.split()),
        expires_at=expires,
        checksum=checksum_of(token),
        # Another provider has no approval of ours to tell, whatever stands in its tokens.
        details=None if settings.EXTERNAL_ISSUER else body.get("authorization_details"),
        approval=None if settings.EXTERNAL_ISSUER else body.get("paraph_approval"),
        # Either sign is enough: a client is never taken for the person whose identifier it might bear.
        is_client=body.get("gty") == "client_credentials" or subject == client_id,
        confirmation=body.get("cnf"),
        token_id=token_id,
        issued_at=issued,
        acr=str(body.get("acr", "")),
        username=str(body.get("username", "")),
    )


def is_access_token(claims: dict[str, Any]) -> bool:
    """Providers call refresh tokens active too, and say what they are in members of their own."""
    use, kind = claims.get("token_use", "access_token"), claims.get("typ", "Bearer")
    return use == "access_token" and str(kind).lower() in {"bearer", "dpop", "at+jwt"}


def _introspect(token: str) -> dict[str, Any]:
    """The answer's JSON object, without HTTP between where this process serves the authorization server as well."""
    if settings.INTROSPECTION and not settings.EXTERNAL_ISSUER:
        ask: Callable[..., dict[str, Any] | None] = import_string(settings.INTROSPECTION)
        told = ask(client_id=settings.RSSP_CLIENT_ID, client_secret=settings.RSSP_CLIENT_SECRET, access_token=token)
        if told is None:
            raise AuthorizationServerUnavailableError("the authorization server does not answer as it should")
        return told
    form = {"token": token, "token_type_hint": "access_token"}
    address = f"{settings.ISSUER}/oauth2/introspect"
    if settings.EXTERNAL_ISSUER:
        address = settings.EXTERNAL_INTROSPECTION_URL or external.read_address(
            "introspection_endpoint", issuer=settings.EXTERNAL_ISSUER
        )
    try:
        response = client_for(settings.ISSUER).post(address, data=form, auth=own_credentials())
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError("the authorization server is not reached") from None
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.status_code != httpx.codes.OK or not isinstance(body, dict):
        log.error("introspection answered %s", response.status_code)
        raise AuthorizationServerUnavailableError("the authorization server does not answer as it should")
    return body
