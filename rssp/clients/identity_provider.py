"""Another OpenID provider as a witness of who somebody is (OpenID Connect Core 1.0, code flow with PKCE).

rssp is its client: it asks for the code, redeems it and verifies the ID token; the browser's way there and back is
signapp's. What the provider says of itself is read as `rssp.clients.external` reads it, at its own origin alone.
"""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from rssp.clients import external
from rssp.errors import IdentityRefusedError

ALGORITHMS = ("RS256", "PS256", "ES256")
# How long ago the person may have proven to be there: a session that somebody left open says nothing.
AUTHENTICATED_SECONDS = 600
_CLOCKS_DIFFER = 60
_LONGEST_TOKEN = 16384
_LONGEST_TEXT = 255


@dataclass(frozen=True)
class Identity:
    """What the provider says: ``claims`` are the ID token's and, beside them, UserInfo's."""

    subject: str
    acr: str
    authenticated: datetime
    claims: dict[str, Any]


def build_address(*, state: str, nonce: str, code_verifier: str) -> str:
    """Where the browser goes. Raises `AuthorizationServerUnavailableError`."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": settings.IDENTITY_CLIENT_ID,
        "redirect_uri": settings.IDENTITY_REDIRECT_URI,
        "scope": " ".join(settings.IDENTITY_SCOPES),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "max_age": str(AUTHENTICATED_SECONDS),
    }
    if settings.IDENTITY_ACR_VALUES:
        asked["acr_values"] = " ".join(settings.IDENTITY_ACR_VALUES)
    address = external.read_address("authorization_endpoint", issuer=settings.IDENTITY_ISSUER)
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def verify_answer_issuer(iss: str) -> None:
    """RFC 9207: the answer is this provider's; one that says it names itself always does. Raises
    `IdentityRefusedError`."""
    named = external.read_metadata(issuer=settings.IDENTITY_ISSUER).get(
        "authorization_response_iss_parameter_supported"
    )
    if (iss or named) and not hmac.compare_digest(iss.encode(), settings.IDENTITY_ISSUER.encode()):
        raise IdentityRefusedError("the answer is another provider's")


def redeem_code(*, code: str, code_verifier: str, nonce: str) -> Identity:
    """Raises `IdentityRefusedError` for what proves nothing, `AuthorizationServerUnavailableError`."""
    issuer = settings.IDENTITY_ISSUER
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.IDENTITY_REDIRECT_URI,
        "code_verifier": code_verifier,
    }
    answer = external.fetch(
        external.read_address("token_endpoint", issuer=issuer),
        issuer=issuer,
        form=form,
        auth=(settings.IDENTITY_CLIENT_ID, settings.IDENTITY_CLIENT_SECRET),
    )
    token, bearer = answer.get("id_token"), answer.get("access_token")
    if not isinstance(token, str) or not isinstance(bearer, str):
        raise IdentityRefusedError("the provider did not take the code")
    claims = verify_id_token(token, nonce=nonce)
    return Identity(
        subject=claims["sub"],
        acr=_read_acr(claims),
        authenticated=_read_authentication(claims),
        claims=_read_user_info(bearer, claims["sub"]) | claims,
    )


def verify_id_token(token: str, *, nonce: str) -> dict[str, Any]:
    """OpenID Connect Core, 3.1.3.7; the code came to us over TLS, and the signature is verified all the same."""
    claims = _verify_signature(token)
    now = time.time()
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if claims.get("iss") != settings.IDENTITY_ISSUER:
        raise IdentityRefusedError("the ID token is another issuer's")
    if not isinstance(audiences, list) or settings.IDENTITY_CLIENT_ID not in audiences:
        raise IdentityRefusedError("the ID token is for another client")
    if claims.get("azp", settings.IDENTITY_CLIENT_ID) != settings.IDENTITY_CLIENT_ID or len(audiences) > 1:
        raise IdentityRefusedError("the ID token is for others too")
    issued, ends = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(ends) is not int or ends <= now or abs(now - issued) > AUTHENTICATED_SECONDS:
        raise IdentityRefusedError("the ID token is not of now")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise IdentityRefusedError("the ID token answers another question")
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= _LONGEST_TEXT:
        raise IdentityRefusedError("the ID token names nobody")
    return claims


def _verify_signature(token: str) -> dict[str, Any]:
    try:
        if len(token) > _LONGEST_TOKEN:
            raise IdentityRefusedError("the ID token is too long")
        header = extract_compact(token.encode()).headers()
        if header.get("alg") not in ALGORITHMS or str(header.get("typ", "JWT")).upper() != "JWT":
            raise IdentityRefusedError("no ID token, or by an algorithm that is none of ours")
        named = header.get("kid")
        key = external.find_key(named, issuer=settings.IDENTITY_ISSUER) if isinstance(named, str) else None
        if key is None:
            raise IdentityRefusedError("the ID token is by a key that is unknown")
        return dict(jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise IdentityRefusedError(f"no ID token of the provider's: {type(error).__name__}") from None


def _read_acr(claims: dict[str, Any]) -> str:
    """One of those that are good enough, if any are named (OpenID Connect Core, 2)."""
    acr = claims.get("acr", "")
    if not isinstance(acr, str) or len(acr) > _LONGEST_TEXT:
        raise IdentityRefusedError("the ID token's acr cannot be read")
    if settings.IDENTITY_ACR_VALUES and acr not in settings.IDENTITY_ACR_VALUES:
        raise IdentityRefusedError("the provider did not look closely enough (acr)")
    return acr


def _read_authentication(claims: dict[str, Any]) -> datetime:
    when, now = claims.get("auth_time"), time.time()
    if type(when) is not int or not now - AUTHENTICATED_SECONDS - _CLOCKS_DIFFER <= when <= now + _CLOCKS_DIFFER:
        raise IdentityRefusedError("the provider does not say that the person was there just now (auth_time)")
    return datetime.fromtimestamp(when, UTC)


def _read_user_info(bearer: str, subject: str) -> dict[str, Any]:
    """OpenID Connect Core, 5.3; nothing where the provider has no such endpoint."""
    issuer = settings.IDENTITY_ISSUER
    if external.read_metadata(issuer=issuer).get("userinfo_endpoint") is None:
        return {}
    address = external.read_address("userinfo_endpoint", issuer=issuer)
    found = external.fetch(address, issuer=issuer, headers={"Authorization": f"Bearer {bearer}"})
    if found.get("sub") != subject:
        raise IdentityRefusedError("UserInfo is about somebody else")
    return found
