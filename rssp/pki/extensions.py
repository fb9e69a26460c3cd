"""A profile's extensions (RFC 5280, 4.2; EN 319 412-2, 4.3 and 4.4)."""

from dataclasses import dataclass
from datetime import datetime

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from rssp.pki.profiles import Mark, Profile
from rssp.pki.subjects import LegalPerson

KEY_USAGES = (
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
QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
NO_REV_AVAIL = x509.ObjectIdentifier("2.5.29.56")  # RFC 9608
VALIDITY_ASSURED = x509.ObjectIdentifier("0.4.0.194121.2.1")  # ext-etsi-valassured-ST-certs, EN 319 412-1, 5.2.2

_NULL = core.Null().dump()
_MARKS: dict[Mark, x509.ExtensionType] = {
    "ocsp_no_check": x509.OCSPNoCheck(),
    "no_rev_avail": x509.UnrecognizedExtension(NO_REV_AVAIL, _NULL),
    "validity_assured": x509.UnrecognizedExtension(VALIDITY_ASSURED, _NULL),
}
_SEMANTICS_NATURAL, _SEMANTICS_LEGAL = "0.4.0.194121.1.1", "0.4.0.194121.1.2"  # EN 319 412-1, 5.1


class _SemanticsInformation(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("semantics_identifier", core.ObjectIdentifier)]


class _QcStatement(core.Sequence):  # type: ignore[misc]
    _fields = [("statement_id", core.ObjectIdentifier), ("statement_info", _SemanticsInformation)]


class _QcStatements(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _QcStatement


@dataclass(frozen=True)
class Addresses:
    """What an issuer publishes and where; None where it does not."""

    issuer: str | None = None
    crl: str | None = None
    ocsp: str | None = None


def build_extensions(
    *,
    profile: Profile,
    addresses: Addresses,
    email: str | None,
    subject_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> list[tuple[x509.ExtensionType, bool]]:
    """Each with whether it is critical."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=profile.is_authority, path_length=profile.path_length), True),
        (build_key_usage(profile), True),
        (x509.SubjectKeyIdentifier.from_public_key(subject_key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False),
    ]
    if profile.extended_key_usage is not None:
        usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(profile.extended_key_usage)])
        extensions.append((usage, True))
    if profile.key_validity is not None:
        end = min(not_before + profile.key_validity, not_after)
        extensions.append((x509.PrivateKeyUsagePeriod(not_before, end), False))
    if profile.policy is not None:
        notice = [x509.UserNotice(None, profile.notice)] if profile.notice else None
        policy = x509.PolicyInformation(x509.ObjectIdentifier(profile.policy), notice)
        extensions.append((x509.CertificatePolicies([policy]), False))
    extensions += [(pointer, False) for pointer in _build_pointers(profile, addresses)]
    if email is not None:
        extensions.append((x509.SubjectAlternativeName([x509.RFC822Name(email)]), False))
    extensions += [(_MARKS[mark], False) for mark in sorted(profile.marks)]
    if profile.states_semantics:
        extensions.append((x509.UnrecognizedExtension(QC_STATEMENTS, _build_semantics(profile)), False))
    return extensions


def build_key_usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in profile.key_usage for usage in KEY_USAGES})


def _build_pointers(profile: Profile, addresses: Addresses) -> list[x509.ExtensionType]:
    methods = (
        ("ocsp", AuthorityInformationAccessOID.OCSP, addresses.ocsp),
        ("issuer", AuthorityInformationAccessOID.CA_ISSUERS, addresses.issuer),
    )
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(address))
        for pointer, method, address in methods
        if pointer in profile.pointers and address is not None
    ]
    pointers: list[x509.ExtensionType] = [x509.AuthorityInformationAccess(access)] if access else []
    if "crl" in profile.pointers and addresses.crl is not None:
        where = [x509.UniformResourceIdentifier(addresses.crl)]
        pointers.append(x509.CRLDistributionPoints([x509.DistributionPoint(where, None, None, None)]))
    return pointers


def _build_semantics(profile: Profile) -> bytes:
    """id-qcs-pkixQCSyntax-v2 (RFC 3739, 3.2.6.1) with EN 319 412-1's semantics identifier."""
    semantics = _SEMANTICS_LEGAL if profile.subject is LegalPerson else _SEMANTICS_NATURAL
    statement = {"statement_id": "1.3.6.1.5.5.7.11.2", "statement_info": {"semantics_identifier": semantics}}
    return bytes(_QcStatements([statement]).dump())
