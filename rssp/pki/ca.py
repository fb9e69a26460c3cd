"""Building a certificate from a profile, and looking at it before it is handed out (RFC 5280, EN 319 412-2)."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtensionOID

from rssp.algorithms import DigestSigner, HashName
from rssp.errors import CertificateLintError
from rssp.pki.extensions import QC_STATEMENTS, Addresses, build_extensions, build_key_usage
from rssp.pki.profiles import Profile
from rssp.pki.remote_key import RemoteKey


@dataclass(frozen=True)
class Draft:
    """Everything that a certificate will say."""

    profile: Profile
    serial_number: int
    subject: x509.Name
    email: str | None
    public_key: bytes  # DER SubjectPublicKeyInfo
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Issuer:
    """Whose key signs, and where it publishes what."""

    name: x509.Name
    public_key: bytes
    hash_name: HashName
    addresses: Addresses


def build_certificate(*, draft: Draft, issuer: Issuer, signer: DigestSigner) -> bytes:
    """The certificate as DER, verified. ``signer`` is asked once."""
    key = RemoteKey(public_key=issuer_key(issuer), spki=issuer.public_key, signer=signer, hash_name=issuer.hash_name)
    certificate = fill_certificate(draft, issuer).sign(key, key.hash_algorithm).public_bytes(Encoding.DER)
    verify_certificate(der=certificate, draft=draft, issuer=issuer)
    return certificate


def verify_certificate(*, der: bytes, draft: Draft, issuer: Issuer) -> None:
    """Raises `CertificateLintError` unless the certificate says what the draft does, under the issuer's signature."""
    certificate = x509.load_der_x509_certificate(der)
    if certificate.signature_hash_algorithm is None:
        raise CertificateLintError("the certificate's signature has no hash")
    try:
        issuer_key(issuer).verify(
            certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(certificate.signature_hash_algorithm)
        )
    except InvalidSignature:
        raise CertificateLintError("the signature does not verify") from None
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = {item.oid: (item.value.public_bytes(), item.critical) for item in certificate.extensions}
    wanted = {kind.oid: (kind.public_bytes(), is_critical) for kind, is_critical in _extensions(draft, issuer)}
    lint = {
        "version": certificate.version is x509.Version.v3,
        "serial number": certificate.serial_number == draft.serial_number and draft.serial_number.bit_length() > 64,
        "issuer": certificate.issuer == issuer.name,
        "subject": certificate.subject == draft.subject,
        "public key": spki == draft.public_key,
        "validity": (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        == (draft.not_before, draft.not_after),
        "key usage": usage.critical and usage.value == build_key_usage(draft.profile),
        "basic constraints": constraints.critical and constraints.value.ca is draft.profile.is_authority,
        "qualified statements": (QC_STATEMENTS in found) is draft.profile.states_semantics,
        "alternative name": email_of(certificate) == draft.email,
        "extensions": found == wanted,
    }
    if wrong := [name for name, is_right in lint.items() if not is_right]:
        raise CertificateLintError(f"the certificate's {', '.join(wrong)} differs from what was asked for")


def fill_certificate(draft: Draft, issuer: Issuer) -> x509.CertificateBuilder:
    """Everything but the signature."""
    builder = (
        x509.CertificateBuilder()
        .serial_number(draft.serial_number)
        .issuer_name(issuer.name)
        .subject_name(draft.subject)
        .public_key(_subject_key(draft))
        .not_valid_before(draft.not_before)
        .not_valid_after(draft.not_after)
    )
    for extension, critical in _extensions(draft, issuer):
        builder = builder.add_extension(extension, critical)
    return builder


def _extensions(draft: Draft, issuer: Issuer) -> list[tuple[x509.ExtensionType, bool]]:
    return build_extensions(
        profile=draft.profile,
        addresses=issuer.addresses,
        email=draft.email,
        subject_key=_subject_key(draft),
        issuer_key=issuer_key(issuer),
        not_before=draft.not_before,
        not_after=draft.not_after,
    )


def _subject_key(draft: Draft) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    key = load_der_public_key(draft.public_key)
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise CertificateLintError("a certificate is for an RSA or an elliptic-curve key")
    return key


def issuer_key(issuer: Issuer) -> ec.EllipticCurvePublicKey:
    """Raises `CertificateLintError` if it is of another kind."""
    key = load_der_public_key(issuer.public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CertificateLintError("an authority signs with an elliptic-curve key")
    return key


def email_of(certificate: x509.Certificate) -> str | None:
    """The alternative name's address."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return None
    if not isinstance(extension, x509.SubjectAlternativeName):
        return None
    return next(iter(extension.get_values_for_type(x509.RFC822Name)), None)
