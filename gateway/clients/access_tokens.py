"""Another provider's access tokens that are signed JWTs (RFC 9068), verified by its published keys."""

import time
from typing import Any

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from gateway.clients.external import find_key
from gateway.errors import InvalidTokenError

ALGORITHMS = ("RS256", "PS256", "ES256")
_TYPES = ("at+jwt", "application/at+jwt")
_LONGEST = 8192
_CLOCKS_DIFFER = 60


def verify_claims(token: str) -> dict[str, Any]:
    """The claims in the shape of an introspection answer; issuer, audience and end are left to who reads that.

    RFC 9068, 4: the type keeps ID tokens out, the algorithm is one of ours and never the token's choice between a
    signature and a MAC. Raises `InvalidTokenError` for whatever else is sent, or
    `AuthorizationServerUnavailableError`.
    """
    claims = _verify_signature(token)
    now = time.time()
    issued, begins = claims.get("iat"), claims.get("nbf", 0)
    if type(issued) is not int or type(begins) is not int or max(issued, begins) > now + _CLOCKS_DIFFER:
        raise InvalidTokenError("the token is not valid yet, or does not say")
    if not isinstance(claims.get("jti"), str):
        raise InvalidTokenError("the token has no identifier")
    if "iss" not in claims:
        raise InvalidTokenError("the token names no issuer")
    scope = claims.get("scope", claims.get("scp"))
    if isinstance(scope, list) and all(isinstance(item, str) for item in scope):
        scope = " ".join(scope)
    return {**claims, "scope": scope, "active": True}


def _verify_signature(token: str) -> dict[str, Any]:
    try:
        if len(token) > _LONGEST:
            raise InvalidTokenError("the token is too long")
        header = extract_compact(token.encode()).headers()
        if str(header.get("typ", "")).lower() not in _TYPES or header.get("alg") not in ALGORITHMS:
            raise InvalidTokenError("no access token, or by an algorithm that is none of ours")
        key = find_key(header["kid"], issuer=settings.EXTERNAL_ISSUER) if isinstance(header.get("kid"), str) else None
        if key is None or settings.EXTERNAL_ISSUER == "":
            raise InvalidTokenError("the token is by a key that is unknown")
        return dict(jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise InvalidTokenError(f"no token of the provider's: {type(error).__name__}") from None
