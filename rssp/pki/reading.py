"""A certificate in words, for whoever looks at it."""

from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from rssp.pki.extensions import KEY_USAGES, NO_REV_AVAIL, QC_STATEMENTS, VALIDITY_ASSURED

_PURPOSES = {
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
    AuthorityInformationAccessOID.OCSP: "OCSP",
    AuthorityInformationAccessOID.CA_ISSUERS: "caIssuers",
}


def describe_certificate(der: bytes) -> list[tuple[str, str]]:
    """Rows of what it is and what it says: fields first, then extensions in their order. Raises `ValueError`."""
    certificate = x509.load_der_x509_certificate(der)
    rows = [
        ("subject", certificate.subject.rfc4514_string()),
        ("issuer", certificate.issuer.rfc4514_string()),
        ("serial number", f"{certificate.serial_number:x}"),
    ]
    for extension in certificate.extensions:
        name, describe = _EXTENSIONS.get(extension.oid, (extension.oid.dotted_string, _hexadecimal))
        rows.append((f"{name} (critical)" if extension.critical else name, describe(extension.value)))
    return rows


def _hexadecimal(value: x509.ExtensionType) -> str:
    return value.public_bytes().hex()


def _constraints(value: x509.BasicConstraints) -> str:
    below = "" if value.path_length is None else f", at most {value.path_length} below it"
    return f"an authority{below}" if value.ca else "not an authority"


def _usage(value: x509.KeyUsage) -> str:
    # encipherOnly and decipherOnly are of key agreement alone, and nothing here agrees on keys.
    return ", ".join(usage for usage in KEY_USAGES[:7] if getattr(value, usage))


def _purpose(oid: x509.ObjectIdentifier) -> str:
    return _PURPOSES.get(oid, oid.dotted_string)


_EXTENSIONS: dict[x509.ObjectIdentifier, tuple[str, Callable[[Any], str]]] = {
    x509.BasicConstraints.oid: ("basicConstraints", _constraints),
    x509.KeyUsage.oid: ("keyUsage", _usage),
    x509.ExtendedKeyUsage.oid: ("extKeyUsage", lambda value: ", ".join(map(_purpose, value))),
    x509.SubjectKeyIdentifier.oid: ("subjectKeyIdentifier", lambda value: value.digest.hex()),
    x509.AuthorityKeyIdentifier.oid: ("authorityKeyIdentifier", lambda value: (value.key_identifier or b"").hex()),
    x509.CertificatePolicies.oid: (
        "certificatePolicies",
        lambda value: ", ".join(policy.policy_identifier.dotted_string for policy in value),
    ),
    x509.AuthorityInformationAccess.oid: (
        "authorityInfoAccess",
        lambda value: ", ".join(f"{_purpose(row.access_method)}: {row.access_location.value}" for row in value),
    ),
    x509.CRLDistributionPoints.oid: (
        "cRLDistributionPoints",
        lambda value: ", ".join(str(name.value) for point in value for name in point.full_name or ()),
    ),
    x509.SubjectAlternativeName.oid: ("subjectAltName", lambda value: ", ".join(str(name.value) for name in value)),
    x509.PrivateKeyUsagePeriod.oid: (
        "privateKeyUsagePeriod",
        lambda value: f"{value.not_before} to {value.not_after}",
    ),
    x509.OCSPNoCheck.oid: ("ocsp-nocheck", lambda _value: "present"),
    NO_REV_AVAIL: ("noRevAvail", lambda _value: "present"),
    VALIDITY_ASSURED: ("ext-etsi-valassured-ST-certs", lambda _value: "present"),
    QC_STATEMENTS: ("qcStatements", _hexadecimal),
}
