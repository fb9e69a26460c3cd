"""Another provider's ID tokens (OpenID Connect Core 1.0, 3.1.3.7), verified by its published keys."""

import hmac
import time
from typing import Any

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from signapp.clients.external import Key, find_key
from signapp.wire import AnswerError

ALGORITHMS = ("RS256", "PS256", "ES256")
_LONGEST = 16384
_LONGEST_SUBJECT = 255
_CLOCKS_DIFFER = 60


def verify_claims(id_token: str, *, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of a live ID token that was made for this client and this login: ``iss``, ``aud`` with ``azp``,
    ``exp``, ``iat``, ``nonce`` and ``sub`` are as they must be.

    Raises `AnswerError`, or `AuthorizationServerUnavailableError` where the keys cannot be read.
    """
    claims = _verify_signature(id_token)
    now, subject, audience = time.time(), claims.get("sub"), claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    begins, ends = claims.get("iat"), claims.get("exp")
    if claims.get("iss") != settings.EXTERNAL_ISSUER:
        raise AnswerError("an ID token of another issuer")
    if not isinstance(named, list) or client_id not in named or claims.get("azp", client_id) != client_id:
        raise AnswerError("an ID token for another client")
    if len(named) > 1 and "azp" not in claims:
        raise AnswerError("an ID token for several clients")
    if type(begins) is not int or type(ends) is not int or not begins - _CLOCKS_DIFFER <= now < ends:
        raise AnswerError("an ID token that has ended, or is not valid yet")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise AnswerError("an ID token of another login")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise AnswerError("an ID token of nobody")
    return claims


def _verify_signature(id_token: str) -> dict[str, Any]:
    try:
        return dict(jwt.decode(id_token, _key_of(id_token), algorithms=list(ALGORITHMS)).claims)
    except AnswerError:
        raise
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise AnswerError(f"no ID token of the provider's: {type(error).__name__}") from None


def _key_of(id_token: str) -> Key:
    """The algorithm is one of ours, never the token's choice between a signature and a MAC; the type keeps access
    tokens out."""
    if len(id_token) > _LONGEST:
        raise AnswerError("an ID token that is too long")
    header = extract_compact(id_token.encode()).headers()
    if str(header.get("typ", "JWT")).upper() != "JWT" or header.get("alg") not in ALGORITHMS:
        raise AnswerError("no ID token, or by an algorithm that is none of ours")
    key = find_key(header["kid"], issuer=settings.EXTERNAL_ISSUER) if isinstance(header.get("kid"), str) else None
    if key is None:
        raise AnswerError("an ID token by a key that is unknown")
    return key
