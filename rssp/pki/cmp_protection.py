"""How messages of the Certificate Management Protocol are protected, both ways (RFC 4210, 5.1.3): by a MAC over a
secret that two parties share, or by signatures."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from asn1crypto import x509
from cryptography import x509 as certificates
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from rssp.errors import IssuerUnavailableError
from rssp.pki import cmp_messages as messages

PBM = "1.2.840.113533.7.66.13"
_HASHES = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
# HMAC with SHA-1 is read, because it is what servers in the field answer with and no collision of SHA-1 helps against a
# MAC; it is never written.
_MACS = {
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.840.113549.2.7": "sha1",
    "1.3.6.1.5.5.8.1.2": "sha1",
}
_ITERATIONS = 10_000
# A server that names more would only keep us busy; fewer protect nothing (RFC 9481, 6.1).
_FEWEST_ITERATIONS, _MOST_ITERATIONS = 100, 100_000
_MOST_SALT = 128
_ECDSA_SHA256, _RSA_SHA256 = "1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"
_ECDSA: dict[str, HashAlgorithm] = {
    _ECDSA_SHA256: SHA256(),
    "1.2.840.10045.4.3.3": SHA384(),
    "1.2.840.10045.4.3.4": SHA512(),
}
_RSA: dict[str, HashAlgorithm] = {
    _RSA_SHA256: SHA256(),
    "1.2.840.113549.1.1.12": SHA384(),
    "1.2.840.113549.1.1.13": SHA512(),
}

Protect = Callable[[bytes], bytes]


class Protection(Protocol):
    """``begin`` gives the header's members and what protects the DER of header and body; ``beside`` are the
    certificates that go with a message. ``verify`` raises `IssuerUnavailableError` unless the other party protected
    ``data``."""

    @property
    def beside(self) -> list[x509.Certificate]: ...

    def begin(self) -> tuple[dict[str, Any], Protect]: ...

    def verify(self, *, algorithm: messages.AlgorithmIdentifier, data: bytes, protection: bytes) -> None: ...


@dataclass(frozen=True)
class SharedSecret:
    """PasswordBasedMac (5.1.3.1). ``reference`` names the secret to the authority (``senderKID``)."""

    secret: bytes = field(repr=False)
    reference: bytes

    @property
    def beside(self) -> list[x509.Certificate]:
        return []

    def begin(self) -> tuple[dict[str, Any], Protect]:
        parameters = messages.PbmParameter(
            {
                "salt": secrets.token_bytes(16),
                "owf": {"algorithm": "2.16.840.1.101.3.4.2.1"},
                "iteration_count": _ITERATIONS,
                "mac": {"algorithm": "1.2.840.113549.2.9"},
            }
        )
        members = {
            "sender": x509.GeneralName("directory_name", x509.Name.build({})),
            "protection_alg": {"algorithm": PBM, "parameters": parameters},
            "sender_kid": self.reference,
        }
        return members, lambda data: compute_mac(secret=self.secret, parameters=parameters, data=data)

    def verify(self, *, algorithm: messages.AlgorithmIdentifier, data: bytes, protection: bytes) -> None:
        if algorithm["algorithm"].dotted != PBM:
            raise IssuerUnavailableError("the authority's answer is not protected by the shared secret")
        parameters = messages.PbmParameter.load(algorithm["parameters"].dump(), strict=True)
        wanted = compute_mac(secret=self.secret, parameters=parameters, data=data)
        if not hmac.compare_digest(wanted, protection):
            raise IssuerUnavailableError("the authority's answer is not protected by our secret")


@dataclass(frozen=True)
class Signatures:
    """``chain`` is our own certificate and what leads to its root, ``authority`` the one certificate by which the
    authority signs its answers: known beforehand, so no answer can bring another one."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    chain: Sequence[certificates.Certificate]
    authority: certificates.Certificate

    @property
    def beside(self) -> list[x509.Certificate]:
        return [x509.Certificate.load(each.public_bytes(Encoding.DER)) for each in self.chain]

    def begin(self) -> tuple[dict[str, Any], Protect]:
        own = self.beside[0]
        algorithm = _ECDSA_SHA256 if isinstance(self.key, ec.EllipticCurvePrivateKey) else _RSA_SHA256
        members: dict[str, Any] = {
            "sender": x509.GeneralName("directory_name", own.subject),
            "protection_alg": {"algorithm": algorithm},
        }
        if (identifier := own.key_identifier) is not None:
            members["sender_kid"] = identifier
        return members, self._sign

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(SHA256()))
        return self.key.sign(data, padding.PKCS1v15(), SHA256())

    def verify(self, *, algorithm: messages.AlgorithmIdentifier, data: bytes, protection: bytes) -> None:
        key, oid = self.authority.public_key(), algorithm["algorithm"].dotted
        try:
            if isinstance(key, ec.EllipticCurvePublicKey) and oid in _ECDSA:
                return key.verify(protection, data, ec.ECDSA(_ECDSA[oid]))
            if isinstance(key, rsa.RSAPublicKey) and oid in _RSA:
                return key.verify(protection, data, padding.PKCS1v15(), _RSA[oid])
        except InvalidSignature:
            raise IssuerUnavailableError("the authority's answer is not signed by the authority") from None
        raise IssuerUnavailableError("the authority's answer is not signed as it should be")


def read_signatures(*, key: bytes, chain: bytes, authority: bytes) -> Signatures:
    """From PEM. Raises `IssuerUnavailableError` if that is no key with its certificate, or no certificate of the
    authority's."""
    try:
        private = load_pem_private_key(key, None)
        own = certificates.load_pem_x509_certificates(chain)
        [theirs] = certificates.load_pem_x509_certificates(authority)
    except (ValueError, TypeError):
        raise IssuerUnavailableError("our key or a certificate for CMP cannot be read") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise IssuerUnavailableError("our key for CMP is of another kind")
    if private.public_key() != own[0].public_key():
        raise IssuerUnavailableError("our key for CMP is not its certificate's")
    return Signatures(private, own, theirs)


def compute_mac(*, secret: bytes, parameters: messages.PbmParameter, data: bytes) -> bytes:
    """PasswordBasedMac (RFC 4210, 5.1.3.1). Raises `IssuerUnavailableError` for weak parameters or
    such that only keep us busy."""
    owf, mac = (parameters[name]["algorithm"].dotted for name in ("owf", "mac"))
    iterations, salt = int(parameters["iteration_count"]), bytes(parameters["salt"])
    if owf not in _HASHES or mac not in _MACS:
        raise IssuerUnavailableError("the authority's answer is protected by a weak algorithm")
    if not _FEWEST_ITERATIONS <= iterations <= _MOST_ITERATIONS or len(salt) > _MOST_SALT:
        raise IssuerUnavailableError("the protection's parameters are out of bounds")
    key = secret + salt
    for _ in range(iterations):
        key = hashlib.new(_HASHES[owf], key).digest()
    return hmac.digest(key, data, _MACS[mac])
