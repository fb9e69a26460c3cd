"""Building a certificate from a profile, and looking at it before it is handed out (RFC 5280, EN 319 412-2)."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from rssp.algorithms import DigestSigner, HashName
from rssp.errors import CertificateLintError
from rssp.pki.profiles import Profile
from rssp.pki.remote_key import RemoteKey

_HASHES: dict[str, hashes.SHA256 | hashes.SHA384] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")


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
    """Whose key signs; ``address`` is where the issuer's own certificate can be had, None for a root."""

    name: x509.Name
    public_key: bytes
    hash_name: HashName
    address: str | None


def build_certificate(*, draft: Draft, issuer: Issuer, signer: DigestSigner) -> bytes:
    """The certificate as DER, verified. ``signer`` is asked once."""
    subject_key, issuer_key = load_der_public_key(draft.public_key), load_der_public_key(issuer.public_key)
    if not isinstance(subject_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise CertificateLintError("a certificate is for an RSA or an elliptic-curve key")
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey):
        raise CertificateLintError("an authority signs with an elliptic-curve key")
    builder = (
        x509.CertificateBuilder()
        .serial_number(draft.serial_number)
        .issuer_name(issuer.name)
        .subject_name(draft.subject)
        .public_key(subject_key)
        .not_valid_before(draft.not_before)
        .not_valid_after(draft.not_after)
    )
    for extension, critical in _extensions(draft, issuer, subject_key, issuer_key):
        builder = builder.add_extension(extension, critical)
    key = RemoteKey(public_key=issuer_key, spki=issuer.public_key, signer=signer, hash_name=issuer.hash_name)
    certificate = builder.sign(key, _HASHES[issuer.hash_name]).public_bytes(Encoding.DER)
    verify_certificate(der=certificate, draft=draft, issuer=issuer)
    return certificate


def verify_certificate(*, der: bytes, draft: Draft, issuer: Issuer) -> None:
    """Raises `CertificateLintError` unless the certificate says what the draft does, under the issuer's signature."""
    certificate = x509.load_der_x509_certificate(der)
    issuer_key = load_der_public_key(issuer.public_key)
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey) or certificate.signature_hash_algorithm is None:
        raise CertificateLintError("the issuer's key is of another kind")
    try:
        issuer_key.verify(
            certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(certificate.signature_hash_algorithm)
        )
    except InvalidSignature:
        raise CertificateLintError("the signature does not verify") from None
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    lint = {
        "version": certificate.version is x509.Version.v3,
        "serial number": certificate.serial_number == draft.serial_number and draft.serial_number.bit_length() > 64,
        "issuer": certificate.issuer == issuer.name,
        "subject": certificate.subject == draft.subject,
        "public key": spki == draft.public_key,
        "validity": (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        == (draft.not_before, draft.not_after),
        "key usage": usage.critical and usage.value == _key_usage(draft.profile),
        "basic constraints": constraints.critical and constraints.value.ca is draft.profile.is_authority,
        "qualified statements": all(extension.oid != _QC_STATEMENTS for extension in certificate.extensions),
        "alternative name": draft.profile.is_authority or _email_of(certificate) == draft.email,
    }
    if wrong := [name for name, is_right in lint.items() if not is_right]:
        raise CertificateLintError(f"the certificate's {', '.join(wrong)} differs from what was asked for")


def _extensions(
    draft: Draft,
    issuer: Issuer,
    subject_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> list[tuple[x509.ExtensionType, bool]]:
    profile = draft.profile
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=profile.is_authority, path_length=profile.path_length), True),
        (_key_usage(profile), True),
        (x509.SubjectKeyIdentifier.from_public_key(subject_key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False),
    ]
    if profile.policy is not None:
        notice = [x509.UserNotice(None, profile.notice)] if profile.notice else None
        policy = x509.PolicyInformation(x509.ObjectIdentifier(profile.policy), notice)
        extensions.append((x509.CertificatePolicies([policy]), False))
    if issuer.address is not None:
        where = x509.UniformResourceIdentifier(issuer.address)
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)
        extensions.append((x509.AuthorityInformationAccess([access]), False))
    if draft.email is not None:
        extensions.append((x509.SubjectAlternativeName([x509.RFC822Name(draft.email)]), False))
    return extensions


def _key_usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in profile.key_usage for usage in _KEY_USAGES})


def _email_of(certificate: x509.Certificate) -> str | None:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return None
    if not isinstance(extension, x509.SubjectAlternativeName):
        return None
    return next(iter(extension.get_values_for_type(x509.RFC822Name)), None)
