"""A certificate before it is signed, under pkilint's eyes: RFC 5280 for all, EN 319 412 for those of persons.

pkilint takes half a second to load and is loaded when the first certificate is looked at, in no process before that.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from rssp.errors import CertificateLintError
from rssp.pki.ca import Draft, Issuer, fill_certificate, issuer_key
from rssp.pki.profiles import Profile
from rssp.pki.remote_key import HASHES
from rssp.pki.subjects import LegalPerson, NaturalPerson

if TYPE_CHECKING:
    from pkilint.validation import ValidatorContainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """``code`` is pkilint's, ``node`` where in the certificate it lies."""

    severity: str  # fatal, error, warning, notice, info or debug
    code: str
    node: str

    @property
    def is_error(self) -> bool:
        return self.severity in {"fatal", "error"}


# What pkilint reports although the certificate is right, each with its reason in docs/certificates.md: nothing else of
# this severity is issued. It reads EN 319 412-2 of 2023, in which every certificate points to a CRL or a responder;
# RFC 9608, 4, forbids both where nothing about a revocation will be published.
_NO_REVOCATION = frozenset(
    {
        "etsi.en_319_412_2.gen-4.3.11-2.crldp_extension_missing",
        "etsi.en_319_412_2.gen-4.4.1-8.ocsp_aia_access_method_absent",
    }
)
# localhost, which no certificate of a real installation may name.
_IN_DEVELOPMENT = frozenset({"pkix.invalid_uri_syntax", "etsi.internal_domain_name"})


def lint_draft(*, draft: Draft, issuer: Issuer, in_development: bool) -> None:
    """Raises `CertificateLintError` if what would be signed is no good. The authority's key has no part in this: the
    signature that the linter sees is of a key that is thrown away."""
    key = ec.generate_private_key(issuer_key(issuer).curve)
    try:
        certificate = fill_certificate(draft, issuer).sign(key, HASHES[issuer.hash_name])
    except (ValueError, TypeError) as error:
        raise CertificateLintError("the certificate cannot be built") from error
    findings = lint_certificate(der=certificate.public_bytes(Encoding.DER), profile=draft.profile)
    if refused := list_refused(findings=findings, profile=draft.profile, in_development=in_development):
        log.error("a certificate of the profile %s was not signed: %s", draft.profile.name, ", ".join(refused))
        raise CertificateLintError(", ".join(refused))


def lint_certificate(*, der: bytes, profile: Profile) -> list[Finding]:
    """Everything that pkilint says, ordered; ``der`` may bear a signature that is worth nothing."""
    from pkilint.loader import RFC5280CertificateDocumentLoader

    try:
        document = RFC5280CertificateDocumentLoader().load_der_document(der, "certificate")
    except ValueError:
        return [Finding("fatal", "certificate.unreadable", "certificate")]
    found = set()
    for validator in _validators(_etsi_type(profile)):
        for result in validator.validate(document.root):
            for described in result.finding_descriptions:
                finding = described.finding
                found.add(Finding(finding.severity.name.lower(), finding.code, str(result.node.path)))
    return sorted(found, key=lambda finding: (finding.code, finding.node))


def list_refused(*, findings: Iterable[Finding], profile: Profile, in_development: bool = False) -> list[str]:
    """The codes of those that keep a certificate of this profile from being issued."""
    excused = _NO_REVOCATION if "no_rev_avail" in profile.marks else frozenset()
    excused |= _IN_DEVELOPMENT if in_development else frozenset()
    return sorted({finding.code for finding in findings if finding.is_error and finding.code not in excused})


def _etsi_type(profile: Profile) -> str | None:
    """EN 319 412-2 and -3 speak of persons' certificates; the name is `pkilint.etsi.etsi_constants`'s."""
    if profile.subject is NaturalPerson:
        return "NCP_NATURAL_PERSON_CERTIFICATE"
    return "NCP_LEGAL_PERSON_CERTIFICATE" if profile.subject is LegalPerson else None


@cache
def _validators(etsi_type: str | None) -> tuple["ValidatorContainer", ...]:
    """What lint_pkix_cert and lint_etsi_cert run."""
    from pkilint.pkix import certificate, extension, name

    pkix = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    if etsi_type is None:
        return (pkix,)
    from pkilint import etsi
    from pkilint.etsi.etsi_constants import CertificateType

    kind = CertificateType[etsi_type]
    return (
        pkix,
        certificate.create_pkix_certificate_validator_container(
            etsi.create_decoding_validators(kind), etsi.create_validators(kind)
        ),
    )
