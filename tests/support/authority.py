"""A small certification authority and signers, with real keys, for tests that play the remote side."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Identity:
    """A signer: private key, DER certificate, DER chain with the signer's certificate first."""

    key: PrivateKey
    certificate: bytes
    chain: list[bytes]

    def sign_digest(self, digest: bytes, algorithm: hashes.HashAlgorithm, *, pss: bool = False) -> bytes:
        prehashed = utils.Prehashed(algorithm)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(digest, ec.ECDSA(prehashed))
        if pss:
            return self.key.sign(digest, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), prehashed)
        return self.key.sign(digest, padding.PKCS1v15(), prehashed)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass
class Authority:
    """Issues certificates; its own is self-signed."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: str = "Test Root"
    # Where issued certificates say that their status is told, a responder's address and a list's.
    responder: str = ""
    revocation_list: str = ""

    def __post_init__(self) -> None:
        self.certificate = self._build(_name(self.name), self.key.public_key(), authority=True, days=3650)

    def issue(
        self,
        common_name: str,
        key: PrivateKey | None = None,
        *,
        days: int = 365,
        usage: x509.ObjectIdentifier | None = None,
    ) -> Identity:
        """``usage`` is an extended key usage, which is then critical and the only one."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._build(_name(common_name), key.public_key(), authority=False, days=days, usage=usage)
        return Identity(key, certificate, [certificate, self.certificate])

    def _build(
        self,
        subject: x509.Name,
        public_key: object,
        *,
        authority: bool,
        days: int,
        usage: x509.ObjectIdentifier | None = None,
    ) -> bytes:
        now = datetime.now(UTC)
        key_usage = x509.KeyUsage(
            digital_signature=usage is not None,
            content_commitment=not authority and usage is None,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=authority,
            crl_sign=authority,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(self.name))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now - timedelta(days=31) + timedelta(days=31 + days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(key_usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        if not authority:
            builder = self._add_pointers(builder)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _add_pointers(self, builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        if self.responder:
            place = x509.UniformResourceIdentifier(self.responder)
            told = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
            builder = builder.add_extension(x509.AuthorityInformationAccess([told]), critical=False)
        if self.revocation_list:
            place = x509.UniformResourceIdentifier(self.revocation_list)
            point = x509.DistributionPoint([place], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return builder
