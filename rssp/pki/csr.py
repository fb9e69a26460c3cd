"""Certification requests (PKCS#10, RFC 2986) for keys in the HSM: what an outside authority certifies.

Signing one proves that the key is held here. It is a structure of our own over a name and the key itself, so it can
never be a signer's document.
"""

import hashlib

from asn1crypto import csr, keys
from asn1crypto import x509 as asn1_x509
from asn1crypto.algos import SignedDigestAlgorithm
from cryptography import x509

from rssp.algorithms import KEY_ALGORITHMS, DigestSigner, SigningOperation, verify_signature

_SIGNATURE_ALGORITHMS = {"rsa": "sha256_rsa", "ec": "sha256_ecdsa"}


def build_csr(
    *, subject: x509.Name, email: str | None, public_key: bytes, key_algorithm: str, signer: DigestSigner
) -> bytes:
    """The request as DER, its signature verified. ``public_key`` is DER SubjectPublicKeyInfo; ``signer`` is asked once.

    ``email``, if there is one, is asked for as an alternative name. Raises `SigningFailedError`.
    """
    wanted = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": asn1_x509.Name.load(subject.public_bytes()),
            "subject_pk_info": keys.PublicKeyInfo.load(public_key),
            "attributes": _attributes(email),
        }
    )
    kind = KEY_ALGORITHMS[key_algorithm].kind
    operation = SigningOperation(kind, "pkcs1" if kind == "rsa" else "ecdsa", "sha256")
    digest = hashlib.sha256(wanted.dump()).digest()
    signature = signer.sign_digest(operation=operation, digest=digest)
    verify_signature(public_key=public_key, operation=operation, digest=digest, signature=signature)
    request = csr.CertificationRequest(
        {
            "certification_request_info": wanted,
            "signature_algorithm": SignedDigestAlgorithm({"algorithm": _SIGNATURE_ALGORITHMS[kind]}),
            "signature": signature,
        }
    )
    made: bytes = request.dump()
    return made


def _attributes(email: str | None) -> list[dict[str, object]]:
    if email is None:
        return []
    names = asn1_x509.GeneralNames([asn1_x509.GeneralName("rfc822_name", email)])
    extension = {"extn_id": "subject_alt_name", "critical": False, "extn_value": names}
    return [{"type": "extension_request", "values": [[extension]]}]
