"""Logout tokens: the authorization server's word that a login has ended (OpenID Connect Back-Channel Logout 1.0)."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from signapp.clients.login_servers import login_server
from signapp.errors import LogoutNotVerifiedError

log = logging.getLogger(__name__)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = ("logout+jwt", "application/logout+jwt")
_LONGEST = 8192
_LONGEST_NAME = 255
_CLOCKS_DIFFER = 60
# What lives longer would have to be remembered longer.
_LONGEST_LIFE = 24 * 3600


@dataclass(frozen=True)
class VerifiedLogoutToken:
    """Whose login ended, and which: all of them where ``session_id`` is empty, whoever's where ``subject`` is. Until
    ``forget_at`` (seconds since 1970) ``token_id`` must not come again."""

    issuer: str
    subject: str
    session_id: str
    token_id: str
    forget_at: int


def verify_logout_token(token: str) -> VerifiedLogoutToken:
    """Section 2.6, but for the replay. Raises `LogoutNotVerifiedError`, or `AuthorizationServerUnavailableError` where
    the keys are not to be had."""
    try:
        # Before anybody's keys are asked for: this address is open to the world.
        header = extract_compact(token.encode()).headers() if len(token) <= _LONGEST else {}
        if not _is_announced(header):
            raise LogoutNotVerifiedError
        keys = login_server().read_keys(key_id=header.get("kid"))
        claims = jwt.decode(token, keys, algorithms=[header["alg"]]).claims
        jwt.JWTClaimsRegistry(
            leeway=_CLOCKS_DIFFER,
            iss={"essential": True, "value": settings.ISSUER},
            aud={"essential": True, "value": settings.SIGNAPP_CLIENT_ID},
            iat={"essential": True},
            exp={"essential": True},
        ).validate(claims)
        return _read(claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        log.warning("a logout token was not accepted: %s", type(error).__name__)
        raise LogoutNotVerifiedError from None


def _is_announced(header: dict[str, Any]) -> bool:
    """A logout token by its own ``typ``, so that no other JWT of the same keys is taken for one."""
    return str(header.get("typ", "")).lower() in _TYPES and header.get("alg") in login_server().algorithms()


def _read(claims: dict[str, Any]) -> VerifiedLogoutToken:
    subject, session_id, token_id = (_read_name(claims, name) for name in ("sub", "sid", "jti"))
    expires = int(claims["exp"])
    is_logout = isinstance(claims.get("events"), dict) and isinstance(claims["events"].get(EVENT), dict)
    if not is_logout or "nonce" in claims or not token_id or not (subject or session_id):
        raise LogoutNotVerifiedError
    if expires > time.time() + _LONGEST_LIFE:
        raise LogoutNotVerifiedError
    return VerifiedLogoutToken(settings.ISSUER, subject, session_id, token_id, expires + _CLOCKS_DIFFER)


def _read_name(claims: dict[str, Any], name: str) -> str:
    """The claim, or nothing where it is absent; an empty one, or one that is no name, spoils the token."""
    value = claims.get(name)
    if name in claims and not (isinstance(value, str) and 1 <= len(value) <= _LONGEST_NAME):
        raise LogoutNotVerifiedError
    return value or ""
