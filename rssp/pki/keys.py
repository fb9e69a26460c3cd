"""Keys that a certificate may be made for (ETSI TS 119 312; FIPS 186-5)."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from rssp.errors import CertificateKeyError
from rssp.pki.roca import has_roca_fingerprint

_RSA_BITS = frozenset({2048, 3072, 4096})
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_PUBLIC_EXPONENT = 65537


def verify_certifiable_key(spki: bytes) -> None:
    """Raises `CertificateKeyError` unless this is the DER SubjectPublicKeyInfo of a key that is offered here."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateKeyError("the public key cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise CertificateKeyError("an RSA key has 2048, 3072 or 4096 bits")
        if key.public_numbers().e != _PUBLIC_EXPONENT:
            raise CertificateKeyError(f"an RSA key has the public exponent {_PUBLIC_EXPONENT}")
        if has_roca_fingerprint(key.public_numbers().n):
            raise CertificateKeyError("the RSA key has the fingerprint of CVE-2017-15361")
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        raise CertificateKeyError("a certificate is for an RSA or an elliptic-curve key")
    elif not isinstance(key.curve, _CURVES):
        raise CertificateKeyError("an elliptic-curve key is on P-256 or P-384")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
        raise CertificateKeyError("the public key is not in its one DER form")
