"""Proofs that a client holds a key (DPoP, RFC 9449), and what tokens are bound to."""

import time
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from authz.errors import InvalidProofError, ProofNonceRequiredError
from authz.services.signed_tokens import (
    BadTokenError,
    import_public_key,
    read_header,
    read_time,
    refuse_future,
    take_once,
    verify_claims,
)
from authz.wire import SIGNING_ALGORITHMS, encode_base64url

MAX_AGE = timedelta(seconds=60)
NONCE_LIFETIME = timedelta(minutes=5)
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class ProvenCall:
    """A request with a proof: ``method`` and ``address`` are what the server was asked, not what the proof says."""

    proof: str
    method: str
    address: str


def verify_proof(*, call: ProvenCall, access_token: str | None = None) -> str:
    """The thumbprint (RFC 7638) of the key that the proof was made with, which is used up (RFC 9449, section 4.3).

    With ``access_token`` the proof must be for that token. Raises `InvalidProofError`, or `ProofNonceRequiredError`
    where this server wants a nonce of its own in it.
    """
    try:
        return _verify(call, access_token)
    except BadTokenError as error:
        raise InvalidProofError(f"The DPoP proof is refused. {error}") from None


def _verify(call: ProvenCall, access_token: str | None) -> str:
    header = read_header(call.proof)
    if header.get("typ") != "dpop+jwt":
        raise BadTokenError("Its typ is not dpop+jwt.")
    key = import_public_key(header.get("jwk"))
    claims = verify_claims(call.proof, key=key, algorithms=SIGNING_ALGORITHMS)
    if claims.get("htm") != call.method or _normal(claims.get("htu")) != _normal(call.address):
        raise BadTokenError("It was made for another request.")
    issued = read_time(claims, "iat")
    if issued is None or issued < time.time() - MAX_AGE.total_seconds():
        raise BadTokenError("It is too old.")
    refuse_future(claims)
    if access_token is not None and claims.get("ath") != encode_base64url(sha256(access_token.encode()).digest()):
        raise BadTokenError("It was made for another token.")
    if settings.DPOP_NONCE_REQUIRED and not _is_own_nonce(claims.get("nonce")):
        raise ProofNonceRequiredError("The DPoP proof needs this server's nonce.")
    thumbprint = str(key.thumbprint())
    take_once(claims, kind="dpop", signer=thumbprint)
    return thumbprint


def _normal(address: object) -> tuple[str, str | None, int | None, str] | None:
    """An address without query and fragment, as RFC 3986, section 6, compares it; None for what is none."""
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.username is not None or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port, parts.path or "/"


def create_nonce() -> str:
    """A nonce for proofs (RFC 9449, section 8): every process of this installation knows it again, for 5 minutes."""
    return TimestampSigner(salt="authz.dpop").sign("n")


def _is_own_nonce(nonce: object) -> bool:
    if not isinstance(nonce, str):
        return False
    try:
        TimestampSigner(salt="authz.dpop").unsign(nonce, max_age=NONCE_LIFETIME)
    except BadSignature:
        return False
    return True
