"""Until when a signature can be shown to be valid by what the document holds. Pure functions of certificates.

EN 319 102-1 judges what was signed by proofs of existence: a certificate or an algorithm that ends harms nothing that
was proven to exist before, as long as the proof itself holds.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

# Until then 112 bits are strength enough (NIST SP 800-57 part 1, table 4); of 128 bits and more no end is known.
_END_OF_112_BITS = datetime(2030, 12, 31, tzinfo=UTC)


def lasts_until(
    level: str,
    *,
    signer: Iterable[bytes],
    timestamp: Iterable[bytes] = (),
    archive: Iterable[bytes] = (),
    short_lived: bool = False,
) -> datetime:
    """When the last proof ends. Each argument is a chain of DER certificates: the signer's, that of the signature's
    time-stamp, that of the last document time-stamp.

    ``short_lived``: the signer's certificate cannot be revoked (EN 319 412-1, 5.2), so a time-stamp alone outlives it.
    """
    if level == "B-LTA":
        return _end_of(archive)
    if level == "B-LT" or (level == "B-T" and short_lived):
        return _end_of(timestamp)
    return min(_end_of(signer), _end_of(timestamp)) if level == "B-T" else _end_of(signer)


def _end_of(chain: Iterable[bytes]) -> datetime:
    """When the first certificate or key of a chain ends."""
    return min(_end_of_one(x509.load_der_x509_certificate(der)) for der in chain)


def _end_of_one(certificate: x509.Certificate) -> datetime:
    key = certificate.public_key()
    short_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size < 3072
    short_curve = isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 256
    end = certificate.not_valid_after_utc
    return min(end, _END_OF_112_BITS) if short_rsa or short_curve else end
