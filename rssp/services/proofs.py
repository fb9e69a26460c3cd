"""Whether who presents a token holds what it is bound to: a key (DPoP, RFC 9449, section 7) or a TLS certificate
(RFC 8705, section 3)."""

import base64
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import IntegrityError, transaction
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from rssp.errors import InvalidProofError, InvalidTokenError, MalformedBodyError
from rssp.models import UsedProof
from rssp.wire import PROOF_ALGORITHMS, parse_object

MAX_AGE_SECONDS = 60
MAX_AHEAD_SECONDS = 30
_COMPACT = re.compile(r"[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{1,1400}")
_KINDS: dict[Any, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PRIVATE = {"d", "p", "q", "k", "oth"}
_PORTS = {"https": 443, "http": 80}
_MIN_RSA_BITS = 2048
_MAX_JTI = 255
_LONGEST_CERTIFICATE = 16 * 1024


@dataclass(frozen=True)
class Call:
    """How a request presents its token. ``address`` is without query; ``certificate`` is what the trusted proxy hands
    over: a PEM certificate, URL-encoded or not, or RFC 9440's form; empty where there is none."""

    authorization: str | None
    proof: str | None
    method: str
    address: str
    certificate: str


class _Registry(jws.JWSRegistry):
    # The library's 512 bytes are too few for a header with an RSA key in it.
    max_header_length = 4096


def verify_possession(*, confirmation: Any, scheme: str, token: str, call: Call) -> None:
    """``confirmation`` is the token's ``cnf``, or None; ``scheme`` the header's, in lower case.

    Raises `InvalidTokenError` for a token that is presented otherwise than it was issued for, and `InvalidProofError`.
    """
    bound = {} if confirmation is None else confirmation
    if not isinstance(bound, dict) or not set(bound) <= {"jkt", "x5t#S256"}:
        raise InvalidTokenError("the token is bound to something unknown")
    if (scheme == "dpop") != ("jkt" in bound):
        raise InvalidTokenError("the token is presented in another way than it was issued for")
    if "jkt" in bound:
        _verify_proof(call, token, str(bound["jkt"]))
    if "x5t#S256" in bound and not _is_same(_thumbprint(call.certificate), bound["x5t#S256"]):
        raise InvalidTokenError("the token is bound to another certificate")


def _verify_proof(call: Call, token: str, thumbprint: str) -> None:
    """RFC 9449, section 4.3."""
    proof = call.proof or ""
    if not _COMPACT.fullmatch(proof):
        raise InvalidProofError("there is no proof")
    key, claims = _read(proof)
    issued, now = claims.get("iat"), time.time()
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise InvalidProofError("the proof says no time")
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    right = (
        _is_same(key, thumbprint),
        claims.get("htm") == call.method,
        _normal(claims.get("htu")) == _normal(call.address),
        _is_same(ath, claims.get("ath")),
        now - MAX_AGE_SECONDS <= issued <= now + MAX_AHEAD_SECONDS,
    )
    if not all(right):
        raise InvalidProofError("the proof is of another key, request, token or time")
    _take(thumbprint, claims.get("jti"))


def _read(proof: str) -> tuple[str, dict[str, Any]]:
    """The thumbprint of the key that the proof names and verifies by, and its claims."""
    try:
        header = json.loads(urlsafe_b64decode(proof.partition(".")[0].encode()))
        jwk = header["jwk"]
        if header.get("typ") != "dpop+jwt" or "crit" in header or _PRIVATE & set(jwk):
            raise InvalidProofError("the proof's header is malformed")
        key = _KINDS[jwk["kty"]].import_key(jwk)
        if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
            raise InvalidProofError("the proof's key is too short")
        registry = _Registry(algorithms=list(PROOF_ALGORITHMS), strict_check_header=False)
        signed = jws.deserialize_compact(proof, key, algorithms=list(PROOF_ALGORITHMS), registry=registry)
        return str(key.thumbprint()), parse_object(signed.payload)
    except (JoseError, MalformedBodyError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidProofError("the proof is malformed or not signed by its key") from None


def _take(thumbprint: str, jti: Any) -> None:
    """One INSERT under a unique key: of any number of processes exactly one passes."""
    if not isinstance(jti, str) or not 1 <= len(jti) <= _MAX_JTI:
        raise InvalidProofError("the proof has no identifier")
    checksum = hashlib.sha256(f"{thumbprint}\n{jti}".encode()).hexdigest()
    try:
        with transaction.atomic():
            UsedProof.objects.create(checksum=checksum)
    except IntegrityError:
        raise InvalidProofError("the proof was used already") from None


def _normal(address: Any) -> tuple[str, str | None, int | None, str] | None:
    """An address without query and fragment, as RFC 3986, section 6, compares it; None for what is none."""
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return None if parts.username is not None else (parts.scheme, parts.hostname, port, parts.path or "/")


def _thumbprint(header: str) -> str:
    """``x5t#S256`` of the certificate; raises `InvalidTokenError` where there is none that can be read."""
    text = unquote(header[:_LONGEST_CERTIFICATE]).strip()
    # A header has no line ends; a proxy may have left blanks for them.
    body = text.removeprefix("-----BEGIN CERTIFICATE-----").partition("-----END")[0].strip().strip(":")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode("".join(body.split()), validate=True))
    except ValueError:
        raise InvalidTokenError("no TLS certificate was shown") from None
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _is_same(left: str, right: Any) -> bool:
    return isinstance(right, str) and hmac.compare_digest(left.encode(), right.encode())
