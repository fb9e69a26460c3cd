"""From a credential's key to the way it signs: one table, one choice.

Object identifiers: RFC 8017, RFC 5758, and CSC API v2.0.0.2, 11.10 (``signAlgo``, ``hashAlgorithmOID``).
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from asn1crypto import algos
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import load_der_x509_certificate

from gateway.errors import CredentialNotUsableError, InvalidSignatureError

HASHES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256()),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384()),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512()),
}


@dataclass(frozen=True)
class Algorithm:
    """One way to sign a to-be-signed digest: what the signing service is asked for, and what stands in the CMS."""

    sign_algo: str
    hash_name: str
    cms_name: str

    @property
    def hash_algorithm_oid(self) -> str:
        return HASHES[self.hash_name][0]

    def mechanism(self) -> algos.SignedDigestAlgorithm:
        """The ``signatureAlgorithm`` of the CMS SignerInfo."""
        if self.cms_name != "rsassa_pss":
            return algos.SignedDigestAlgorithm({"algorithm": self.cms_name})
        return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": self._pss_parameters()})

    def encoded_mechanism(self) -> bytes:
        """Its DER."""
        return _encode_mechanism(self)

    def sign_algo_params(self) -> str | None:
        """Base64 of the DER parameters where the algorithm needs them (RFC 8017, A.2.3), else None."""
        if self.cms_name != "rsassa_pss":
            return None
        return base64.b64encode(self._pss_parameters().dump()).decode()

    def _pss_parameters(self) -> algos.RSASSAPSSParams:
        digest = algos.DigestAlgorithm({"algorithm": self.hash_name})
        return algos.RSASSAPSSParams(
            {
                "hash_algorithm": digest,
                "mask_gen_algorithm": algos.MaskGenAlgorithm({"algorithm": "mgf1", "parameters": digest}),
                "salt_length": HASHES[self.hash_name][1].digest_size,
            }
        )


@lru_cache(maxsize=64)
def _encode_mechanism(algorithm: Algorithm) -> bytes:
    encoded: bytes = algorithm.mechanism().dump()
    return encoded


# In order of preference; the first that the credential offers is taken.
_ALGORITHMS = {
    "rsa": (
        Algorithm("1.2.840.113549.1.1.11", "sha256", "sha256_rsa"),
        Algorithm("1.2.840.113549.1.1.1", "sha256", "sha256_rsa"),
        Algorithm("1.2.840.113549.1.1.10", "sha256", "rsassa_pss"),
        Algorithm("1.2.840.113549.1.1.12", "sha384", "sha384_rsa"),
        Algorithm("1.2.840.113549.1.1.13", "sha512", "sha512_rsa"),
    ),
    "ec": (
        Algorithm("1.2.840.10045.4.3.2", "sha256", "sha256_ecdsa"),
        Algorithm("1.2.840.10045.2.1", "sha256", "sha256_ecdsa"),
        Algorithm("1.2.840.10045.4.3.3", "sha384", "sha384_ecdsa"),
        Algorithm("1.2.840.10045.4.3.4", "sha512", "sha512_ecdsa"),
    ),
}


def _key_kind(certificate: bytes) -> str | None:
    key = load_der_x509_certificate(certificate).public_key()
    return "rsa" if isinstance(key, rsa.RSAPublicKey) else "ec" if isinstance(key, ec.EllipticCurvePublicKey) else None


def choose_algorithm(*, certificate: bytes, offered: Iterable[str]) -> Algorithm:
    """The preferred algorithm among ``offered`` (``key.algo`` of credentials/info) for the certificate's key.

    Raises `CredentialNotUsableError` if none fits.
    """
    try:
        kind = _key_kind(certificate)
    except ValueError:
        raise CredentialNotUsableError from None
    names = set(offered)
    for algorithm in _ALGORITHMS.get(kind or "", ()):
        if algorithm.sign_algo in names:
            return algorithm
    raise CredentialNotUsableError


def parse_algorithm(*, certificate: bytes, sign_algo: str) -> Algorithm:
    """The algorithm that `choose_algorithm` once chose."""
    return choose_algorithm(certificate=certificate, offered=[sign_algo])


def longest_value(*, certificate: bytes) -> int:
    """Bytes of the longest signature value that the certificate's key makes: of an elliptic curve two numbers in DER,
    of RSA one as long as the modulus."""
    key = load_der_x509_certificate(certificate).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return 2 * ((key.key_size + 7) // 8 + 4) + 4
    return (getattr(key, "key_size", 8 * 1024) + 7) // 8


def verify_signature_value(*, certificate: bytes, algorithm: Algorithm, signed: bytes, value: bytes) -> None:
    """Raises `InvalidSignatureError` unless ``value`` is the certificate's key's signature over ``signed``.

    ECDSA values are DER ``ECDSA-Sig-Value`` (RFC 5480), as CMS wants them.
    """
    key = load_der_x509_certificate(certificate).public_key()
    digest = HASHES[algorithm.hash_name][1]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(value, signed, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm.cms_name == "rsassa_pss":
            key.verify(value, signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(value, signed, padding.PKCS1v15(), digest)
        else:
            raise InvalidSignatureError
    except (InvalidSignature, ValueError):
        raise InvalidSignatureError from None
