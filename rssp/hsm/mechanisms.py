"""From an operation to what PKCS#11 is asked, and from its answer to what the wire wants: a pure function each way."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import MGF, Mechanism

from rssp.algorithms import SigningOperation

# DigestInfo (RFC 8017, 9.2, note 1) up to the digest: CKM_RSA_PKCS pads, but does not say which hash it was.
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_PSS_HASHES = {
    "sha256": (Mechanism.SHA256, MGF.SHA256),
    "sha384": (Mechanism.SHA384, MGF.SHA384),
    "sha512": (Mechanism.SHA512, MGF.SHA512),
}


@dataclass(frozen=True)
class SignRequest:
    """The arguments of C_SignInit and C_Sign."""

    mechanism: Mechanism
    parameter: tuple[Mechanism, MGF, int] | None
    data: bytes


def build_request(*, operation: SigningOperation, digest: bytes, curve_bytes: int) -> SignRequest:
    """``curve_bytes`` is the length of an elliptic-curve key's coordinate; RSA has no use for it."""
    if operation.scheme == "pkcs1":
        return SignRequest(Mechanism.RSA_PKCS, None, _DIGEST_INFO[operation.hash_name] + digest)
    if operation.scheme == "pss":
        return SignRequest(Mechanism.RSA_PKCS_PSS, (*_PSS_HASHES[operation.hash_name], operation.salt_length), digest)
    # FIPS 186-5, 6.4.1: the leftmost bits. Some HSMs refuse a longer digest instead of cutting it.
    return SignRequest(Mechanism.ECDSA, None, digest[:curve_bytes])


def encode_signature(*, operation: SigningOperation, answer: bytes) -> bytes:
    """An ECDSA answer is r and s side by side; CMS and X.509 want DER. RSA's is what it is."""
    if operation.scheme != "ecdsa":
        return answer
    half = len(answer) // 2
    return encode_dss_signature(int.from_bytes(answer[:half], "big"), int.from_bytes(answer[half:], "big"))
