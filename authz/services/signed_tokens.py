"""JWTs that others sign: read strictly, verified by asymmetric algorithms alone, each taken once."""

import json
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from authz.errors import AuthzError
from authz.models import UsedChallenge
from authz.services.secrets import checksum
from authz.wire import parse_csc_object

# How far a sender's clock may be ahead (FAPI 2.0, 5.3.2.1: 10 seconds at least, 60 at most).
MAX_AHEAD = timedelta(seconds=30)
_COMPACT = re.compile(r"[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,1400}")
_MAX_JTI = 255
_MIN_RSA_BITS = 2048

PublicKey = RSAKey | ECKey | OKPKey


class BadTokenError(ValueError):
    """The JWT is not one, or is signed by nobody known."""


class _Registry(jws.JWSRegistry):
    # The library's 512 bytes are too few for a header with an RSA key in it.
    max_header_length = 4096


def read_header(token: str) -> dict[str, Any]:
    """The unverified header of a compact JWS; raises `BadTokenError`."""
    return _read_part(token, 0)


def read_unverified_claims(token: str) -> dict[str, Any]:
    """What a JWT says of itself, good for finding a key to verify it with; raises `BadTokenError`."""
    return _read_part(token, 1)


def _read_part(token: str, index: int) -> dict[str, Any]:
    if not _COMPACT.fullmatch(token):
        raise BadTokenError("It is no compact JWS.")
    try:
        part = json.loads(urlsafe_b64decode(token.split(".")[index].encode()))
    except (ValueError, RecursionError):
        part = None
    if not isinstance(part, dict):
        raise BadTokenError("It is malformed.")
    return part


def import_public_key(jwk: Any) -> PublicKey:
    """A public key as RFC 7517 has it; raises `BadTokenError` for private, symmetric and short ones."""
    kinds: dict[Any, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    kind = kinds.get(jwk.get("kty")) if isinstance(jwk, dict) and isinstance(jwk.get("kty"), str) else None
    if kind is None or {"d", "p", "q", "k", "oth"} & set(jwk):
        raise BadTokenError("It is no public key.")
    try:
        key = kind.import_key(jwk)
        size = getattr(key.public_key, "key_size", _MIN_RSA_BITS)
    except (JoseError, ValueError, TypeError, AttributeError, KeyError, OverflowError):
        raise BadTokenError("The key is malformed.") from None
    if isinstance(key, RSAKey) and size < _MIN_RSA_BITS:
        raise BadTokenError("The key is too short.")
    return key


def verify_claims(token: str, *, key: PublicKey, algorithms: Sequence[str]) -> dict[str, Any]:
    """The claims of a JWT that this key signed; raises `BadTokenError`."""
    if "crit" in read_header(token):
        # Nothing that must be understood is understood here (RFC 7515, section 4.1.11).
        raise BadTokenError("Its header holds something critical.")
    registry = _Registry(algorithms=list(algorithms), strict_check_header=False)
    try:
        signed = jws.deserialize_compact(token, key, algorithms=list(algorithms), registry=registry)
        return parse_csc_object(signed.payload)
    except (JoseError, AuthzError, ValueError, TypeError):
        raise BadTokenError("Its signature does not verify.") from None


def read_time(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate, or None where the claim is absent; raises `BadTokenError` for anything else."""
    value = claims.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadTokenError(f"Its {name} is malformed.")
    return value


def refuse_future(claims: dict[str, Any]) -> None:
    """``iat`` and ``nbf`` may be ahead by what clocks differ."""
    for name in ("iat", "nbf"):
        at = read_time(claims, name)
        if at is not None and at > time.time() + MAX_AHEAD.total_seconds():
            raise BadTokenError(f"Its {name} is in the future.")


def take_once(claims: dict[str, Any], *, kind: str, signer: str) -> None:
    """Uses up ``jti``: one INSERT under a unique key, so of any number of processes exactly one passes. Kept for a day,
    longer than any JWT that is taken here lives. Raises `BadTokenError`."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _MAX_JTI:
        raise BadTokenError("Its jti is missing or malformed.")
    try:
        with transaction.atomic():
            UsedChallenge.objects.create(checksum=checksum(f"{kind}\n{signer}\n{jti}"))
    except IntegrityError:
        raise BadTokenError("It was used already.") from None
