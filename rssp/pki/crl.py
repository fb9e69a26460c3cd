"""Building a certificate revocation list and looking at it before it is handed out (RFC 5280, 5; X.509, 9.6).

Entries are encoded one by one as they come from the database, so a list of a hundred thousand costs little more memory
than its own few megabytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import core
from asn1crypto import crl as asn1
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from rssp.errors import RevocationListLintError
from rssp.pki import der
from rssp.pki.remote_key import RemoteKey

# CRLReason (RFC 5280, 5.3.1). removeFromCRL has no place in a list that is complete: what is resumed is not on it.
REASON_CODES: dict[str, int] = {
    "": 0,
    "unspecified": 0,
    "key_compromise": 1,
    "ca_compromise": 2,
    "affiliation_changed": 3,
    "superseded": 4,
    "cessation_of_operation": 5,
    "certificate_hold": 6,
    "privilege_withdrawn": 9,
}
_EXPIRED_CERTS_ON_CRL = "2.5.29.60"


@dataclass(frozen=True)
class RevokedCertificate:
    """One entry; ``reason`` is a key of `REASON_CODES`."""

    serial_number: int
    revoked_at: datetime
    reason: str


@dataclass(frozen=True)
class ListDraft:
    """Everything that a list will say beside its entries.

    ``address`` names the list in its own issuing distribution point, as certificates name it in theirs: it tells one
    partition from another. None where there are no partitions: a root is in its own list's scope and names no list.
    ``is_for_authorities`` says which kind of certificate its scope holds. ``expired_since``: entries of
    certificates that expired then or later are still there (expiredCertsOnCRL).
    """

    number: int
    this_update: datetime
    next_update: datetime
    address: str | None
    is_for_authorities: bool
    expired_since: datetime


def build_revocation_list(
    *, draft: ListDraft, issuer: bytes, revoked: Iterable[RevokedCertificate], key: RemoteKey
) -> bytes:
    """CertificateList as DER, verified. ``issuer`` is the authority's certificate, DER, and ``key`` its key, which is
    asked once. Raises `RevocationListLintError` and what signing raises."""
    certificate = asn1_x509.Certificate.load(issuer)
    algorithm = asn1_x509.SignedDigestAlgorithm({"algorithm": f"{key.hash_algorithm.name}_ecdsa"}).dump()
    entries = list(map(_encode_entry, revoked))
    to_be_signed = der.encode(
        der.SEQUENCE,
        der.encode_integer(1),  # version 2
        algorithm,
        certificate.subject.dump(),
        der.encode_time(draft.this_update),
        der.encode_time(draft.next_update),
        # Absent when there is nothing on it (RFC 5280, 5.1.2.6).
        der.encode(der.SEQUENCE, *entries) if entries else b"",
        der.explicit(0, _encode_extensions(draft, certificate)),
    )
    signature = key.sign(to_be_signed, ec.ECDSA(key.hash_algorithm))
    made = der.encode(der.SEQUENCE, to_be_signed, algorithm, der.encode(der.BIT_STRING, b"\0", signature))
    _verify(made, draft, key.public_key(), len(entries))
    return made


def _verify(made: bytes, draft: ListDraft, public_key: ec.EllipticCurvePublicKey, count: int) -> None:
    """Another parser's reading of it."""
    seen = x509.load_der_x509_crl(made)
    point = seen.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    lint = {
        "signature": seen.is_signature_valid(public_key),
        "number": seen.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == draft.number,
        "time": (seen.last_update_utc, seen.next_update_utc)
        == (draft.this_update.replace(microsecond=0), draft.next_update.replace(microsecond=0)),
        "entries": len(seen) == count,
        "scope": point.critical
        and point.value.full_name
        == (None if draft.address is None else [x509.UniformResourceIdentifier(draft.address)])
        and point.value.only_contains_ca_certs is draft.is_for_authorities,
    }
    if wrong := [name for name, is_right in lint.items() if not is_right]:
        raise RevocationListLintError(f"the list's {', '.join(wrong)} differs from what was asked for")


def _encode_reason(code: int) -> bytes:
    return der.encode(der.SEQUENCE, der.encode_extension("2.5.29.21", der.encode(der.ENUMERATED, bytes((code,)))))


# An unspecified reason is left out (RFC 5280, 5.3.1).
_REASONS = {name: _encode_reason(code) if code else b"" for name, code in REASON_CODES.items()}


def _encode_entry(entry: RevokedCertificate) -> bytes:
    serial_number = der.encode_integer(entry.serial_number)
    return der.encode(der.SEQUENCE, serial_number, der.encode_time(entry.revoked_at), _REASONS[entry.reason])


def _encode_extensions(draft: ListDraft, issuer: asn1_x509.Certificate) -> bytes:
    point: dict[str, object] = {
        "only_contains_ca_certs" if draft.is_for_authorities else "only_contains_user_certs": True
    }
    if draft.address is not None:
        full_name = asn1_x509.GeneralName("uniform_resource_identifier", draft.address)
        point["distribution_point"] = asn1_x509.DistributionPointName("full_name", [full_name])
    expired_since = core.ParsableOctetString(core.GeneralizedTime(draft.expired_since.replace(microsecond=0)).dump())
    extensions: list[tuple[str, bool, object]] = [
        ("authority_key_identifier", False, {"key_identifier": issuer.key_identifier_value.native}),
        ("crl_number", False, draft.number),
        ("issuing_distribution_point", True, asn1.IssuingDistributionPoint(point)),
        (_EXPIRED_CERTS_ON_CRL, False, expired_since),
    ]
    encoded: bytes = asn1.TBSCertListExtensions(
        [{"extn_id": name, "critical": critical, "extn_value": value} for name, critical, value in extensions]
    ).dump()
    return encoded
