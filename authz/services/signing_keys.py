"""The keys by which this server signs what others verify: ID tokens, logout tokens and JWT access tokens."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from oauth2_provider.settings import oauth2_settings

from authz.models import Application, Signature

_Key = RSAKey | ECKey


def sign(*, application: Application, kind: str, claims: dict[str, Any]) -> str:
    """A compact JWT for this client, by the algorithm of its record; ``kind`` is its header's ``typ``."""
    algorithm = application.signed_by
    key = _read_keys()[algorithm]
    return jwt.encode({"typ": kind, "alg": algorithm, "kid": key.kid}, claims, key)


def read_own_claims(token: str, *, kind: str) -> dict[str, Any]:
    """The claims of a JWT of this server's own and of this ``typ``, whatever its ``exp``; raises `ValueError`.

    The type keeps apart what is signed by one key: an ID token, a logout token and an access token are three things.
    """
    keys = KeySet(list(_read_keys().values()))
    try:
        read = jwt.decode(token, keys, algorithms=list(Signature.values))
    except (JoseError, ValueError, TypeError):
        raise ValueError("not this server's word") from None
    if read.header.get("typ") != kind:
        raise ValueError("not this kind of token")
    return dict(read.claims)


def list_public_keys() -> list[dict[str, Any]]:
    """The public halves (RFC 7517), each for its one algorithm."""
    return [key.as_dict(private=False) for key in _read_keys().values()]


def _read_keys() -> dict[str, _Key]:
    return _import(oauth2_settings.OIDC_RSA_PRIVATE_KEY, settings.OIDC_EC_PRIVATE_KEY)


@lru_cache(maxsize=2)
def _import(rsa: str, ec: str) -> dict[str, _Key]:
    keys: dict[str, _Key] = {}
    for algorithm, kind, pem in ((Signature.RS256, RSAKey, rsa), (Signature.ES256, ECKey, ec)):
        kid = kind.import_key(pem).thumbprint()
        keys[algorithm] = kind.import_key(pem, {"use": "sig", "alg": algorithm.value, "kid": kid})
    return keys
