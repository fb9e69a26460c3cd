"""Which keys there are, and what one may sign with them: from the words of CSC to one operation of an HSM.

>>> choose_operation(key_algorithm="ec-p256", sign_algo="1.2.840.10045.4.3.2", sign_algo_params=None,
...                  hash_algorithm_oid=None)
SigningOperation(key_kind='ec', scheme='ecdsa', hash_name='sha256', salt_length=0)

SHA-256, SHA-384 and SHA-512 alone (ETSI TS 119 312); nothing here can be talked into SHA-1 or MD5.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

from asn1crypto import algos
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from rssp.errors import (
    DigestLengthError,
    HashAlgorithmError,
    HashAlgorithmMissingError,
    InvalidSignatureError,
    SignAlgoError,
    SignAlgoParamsError,
    SignAlgoParamsMissingError,
)

KeyKind = Literal["rsa", "ec"]
Scheme = Literal["pkcs1", "pss", "ecdsa"]
HashName = Literal["sha256", "sha384", "sha512"]


@dataclass(frozen=True)
class KeyAlgorithm:
    """A kind and size of key: ``bits`` is CSC's ``key.len``, ``curve_oid`` its ``key.curve``."""

    name: str
    kind: KeyKind
    bits: int
    curve_oid: str | None = None


KEY_ALGORITHMS: dict[str, KeyAlgorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        KeyAlgorithm("rsa-2048", "rsa", 2048),
        KeyAlgorithm("rsa-3072", "rsa", 3072),
        KeyAlgorithm("rsa-4096", "rsa", 4096),
        KeyAlgorithm("ec-p256", "ec", 256, "1.2.840.10045.3.1.7"),
        KeyAlgorithm("ec-p384", "ec", 384, "1.3.132.0.34"),
    )
}

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSASSA_PSS = "1.2.840.113549.1.1.10"

HASH_NAMES: dict[str, HashName] = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
HASH_OIDS: dict[str, str] = {name: oid for oid, name in HASH_NAMES.items()}
DIGEST_BYTES: dict[str, int] = {"sha256": 32, "sha384": 48, "sha512": 64}

_RSA_COMBINED: dict[str, HashName] = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_ECDSA_COMBINED: dict[str, HashName] = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_HASHES: dict[str, type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


@dataclass(frozen=True)
class SigningOperation:
    """What the HSM is asked to do with a digest; ``salt_length`` is of PSS alone."""

    key_kind: KeyKind
    scheme: Scheme
    hash_name: HashName
    salt_length: int = 0


@dataclass(frozen=True)
class WrappedKey:
    """A private key that only the token's key-encryption key ``kek_id`` (CKA_ID) opens.

    ``public_key`` is DER SubjectPublicKeyInfo; ``wrapped_key`` is PKCS #8 wrapped by AES-KWP (RFC 5649); ``binding`` is
    an HMAC of the token's over all the rest.
    """

    key_id: bytes
    key_algorithm: str
    public_key: bytes
    kek_id: bytes
    wrapped_key: bytes
    binding: bytes


class DigestSigner(Protocol):
    """One key, ready to sign. RSA signatures have the modulus's length, ECDSA's are DER ``ECDSA-Sig-Value``."""

    def sign_digest(self, *, operation: SigningOperation, digest: bytes) -> bytes: ...


def sign_algos(key_algorithm: str) -> tuple[str, ...]:
    """The ``signAlgo`` OIDs that fit the key: CSC's ``key.algo``.

    The combined OIDs come first, for clients that take the first they know. Every hash goes with every curve: a longer
    digest is cut to the curve's length (FIPS 186-5, 6.4.1), and a shorter one is what most clients have.
    """
    if KEY_ALGORITHMS[key_algorithm].kind == "rsa":
        return (*_RSA_COMBINED, RSA_ENCRYPTION, RSASSA_PSS)
    return tuple(_ECDSA_COMBINED)


def choose_operation(
    *, key_algorithm: str, sign_algo: str, sign_algo_params: bytes | None, hash_algorithm_oid: str | None
) -> SigningOperation:
    """The operation that a request's words name, or a child of `AlgorithmError`.

    Where ``sign_algo`` implies the hash, ``hash_algorithm_oid`` is ignored (CSC API v2, 11.10).
    """
    if sign_algo not in sign_algos(key_algorithm):
        raise SignAlgoError("signAlgo is unknown or does not fit the key")
    key = KEY_ALGORITHMS[key_algorithm]
    if key.kind == "ec":
        return SigningOperation("ec", "ecdsa", _ECDSA_COMBINED[sign_algo])
    if sign_algo == RSASSA_PSS:
        return _choose_pss(key, sign_algo_params, hash_algorithm_oid)
    if sign_algo == RSA_ENCRYPTION:
        if hash_algorithm_oid is None:
            raise HashAlgorithmMissingError("rsaEncryption implies no hash algorithm")
        return SigningOperation("rsa", "pkcs1", _hash_name(hash_algorithm_oid))
    return SigningOperation("rsa", "pkcs1", _RSA_COMBINED[sign_algo])


def verify_digest_length(*, operation: SigningOperation, digest: bytes) -> None:
    """Raises `DigestLengthError` unless the digest is as long as the operation's hash makes it."""
    if len(digest) != DIGEST_BYTES[operation.hash_name]:
        raise DigestLengthError(f"a {operation.hash_name} digest has {DIGEST_BYTES[operation.hash_name]} bytes")


def verify_signature(*, public_key: bytes, operation: SigningOperation, digest: bytes, signature: bytes) -> None:
    """Raises `InvalidSignatureError` unless the signature is this key's, over this digest, by this operation.

    ``public_key`` is DER SubjectPublicKeyInfo. A handle in an HSM can come to point at another key, so no signature
    leaves without this.
    """
    verify_digest_length(operation=operation, digest=digest)
    hash_algorithm = _HASHES[operation.hash_name]()
    try:
        key = _load_public_key(public_key)
        match key, operation.scheme:
            case rsa.RSAPublicKey(), "pkcs1":
                key.verify(signature, digest, padding.PKCS1v15(), Prehashed(hash_algorithm))
            case rsa.RSAPublicKey(), "pss":
                pss = padding.PSS(mgf=padding.MGF1(hash_algorithm), salt_length=operation.salt_length)
                key.verify(signature, digest, pss, Prehashed(hash_algorithm))
            case ec.EllipticCurvePublicKey(), "ecdsa":
                key.verify(signature, digest, ec.ECDSA(Prehashed(hash_algorithm)))
            case _:
                raise InvalidSignatureError("the key is of another kind than the signature")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise InvalidSignatureError("the signature does not verify with the key") from None


# A call of many hashes has one key.
_load_public_key = lru_cache(maxsize=256)(load_der_public_key)


def _hash_name(oid: str) -> HashName:
    try:
        return HASH_NAMES[oid]
    except KeyError:
        raise HashAlgorithmError("the hash algorithm must be SHA-256, SHA-384 or SHA-512") from None


def _choose_pss(key: KeyAlgorithm, params: bytes | None, hash_algorithm_oid: str | None) -> SigningOperation:
    if params is None:
        raise SignAlgoParamsMissingError("RSASSA-PSS needs parameters")
    hash_name, salt_length = _parse_pss_params(params)
    if hash_algorithm_oid is not None and _hash_name(hash_algorithm_oid) != hash_name:
        raise SignAlgoParamsError("the parameters name another hash algorithm than the request")
    shortest = DIGEST_BYTES[hash_name]
    longest = key.bits // 8 - DIGEST_BYTES[hash_name] - 2
    if not shortest <= salt_length <= longest:
        raise SignAlgoParamsError(f"the salt must have {shortest} to {longest} bytes")
    return SigningOperation("rsa", "pss", hash_name, salt_length)


def _parse_pss_params(params: bytes) -> tuple[HashName, int]:
    """RSASSA-PSS-params (RFC 4055, 3.1). What is absent means SHA-1, MGF1 with SHA-1 and 20 bytes, and is refused."""
    try:
        # The structure is read when it is asked for, so all of it is read within this block.
        parsed = algos.RSASSAPSSParams.load(params, strict=True)
        hash_oid = _digest_algorithm_oid(parsed["hash_algorithm"])
        mask = parsed["mask_gen_algorithm"]
        mask_is_mgf1 = mask["algorithm"].native == "mgf1"
        mask_hash_oid = _digest_algorithm_oid(mask["parameters"])
        salt_length = int(parsed["salt_length"].native)
        trailer = int(parsed["trailer_field"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SignAlgoParamsError("the parameters are no RSASSA-PSS-params") from None
    if hash_oid not in HASH_NAMES:
        raise SignAlgoParamsError("the parameters' hash must be SHA-256, SHA-384 or SHA-512")
    if not mask_is_mgf1 or mask_hash_oid != hash_oid:
        raise SignAlgoParamsError("the mask must be MGF1 with the same hash")
    if trailer != 1:
        raise SignAlgoParamsError("the trailer field must be 1")
    return HASH_NAMES[hash_oid], salt_length


def _digest_algorithm_oid(algorithm: algos.DigestAlgorithm) -> str:
    """An AlgorithmIdentifier of a hash, whose parameters are NULL or absent (RFC 4055, 2.1)."""
    if algorithm["parameters"].native is not None:
        raise ValueError("a hash algorithm has no parameters")
    return str(algorithm["algorithm"].dotted)
