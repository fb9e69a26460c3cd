"""What must be verified before a certificate is issued, by policy, and the subject that follows from it.

>>> registration_of(certificate_policy="signer")
'approval'
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

from django.conf import settings

from rssp.errors import (
    AttributeDiffersError,
    CertificatePolicyError,
    CertificateSubjectError,
    EmailNotVerifiedError,
    EvidenceMissingError,
)
from rssp.models import RequestAttribute
from rssp.pki.profiles import SUBSCRIBER_PROFILES, Profile
from rssp.pki.subjects import (
    LegalPerson,
    NaturalPerson,
    Subject,
    UnverifiedPerson,
    build_subject,
    parse_common_name,
    parse_email,
)

# "automatic": at once; an address that was not verified is left out. "verified-email": at once, and refused without a
# verified address. "approval": when an operator has verified who it is. "claims": when an OpenID provider has, or an
# operator.
Registration = Literal["automatic", "verified-email", "approval", "claims"]

COMMON_NAME, EMAIL = "common_name", "email"
_ATTRIBUTES: dict[type[Subject], tuple[str, ...]] = {
    UnverifiedPerson: (),
    NaturalPerson: ("given_name", "surname", "country", "identifier"),
    LegalPerson: ("organisation", "identifier", "country"),
}
# A person's identifier may be left to us: the user's own identifier tells them from everybody else here.
_OPTIONAL = frozenset({"identifier"})


def registration_of(*, certificate_policy: str) -> Registration:
    """How requests for this policy are decided; what no setting names needs an approval. Names are verified by an
    operator or by a provider that is configured for it, so only a demonstration goes without. Raises
    `CertificatePolicyError`."""
    subject = _profile(certificate_policy).subject
    chosen = settings.REGISTRATION.get(certificate_policy)
    if subject is UnverifiedPerson and chosen in {"automatic", "verified-email"}:
        return "automatic" if chosen == "automatic" else "verified-email"
    return "claims" if subject is NaturalPerson and chosen == "claims" and settings.IDENTITY_ISSUER else "approval"


def is_for_one_signature(*, certificate_policy: str) -> bool:
    """Whether each signature has a key and a certificate of its own. Raises `CertificatePolicyError`."""
    return _profile(certificate_policy).for_one_signature


def attributes_to_verify(*, certificate_policy: str) -> tuple[str, ...]:
    """The names of what an operator states beside the evidence, in the order of the form."""
    return _ATTRIBUTES[_subject_type(certificate_policy)]


def verify_requestable(*, certificate_policy: str, common_name: str, email: str, email_verified: bool) -> None:
    """What can be known before anything is spent. Raises `CertificatePolicyError`, `CertificateSubjectError` or
    `EmailNotVerifiedError`."""
    registration = registration_of(certificate_policy=certificate_policy)
    parse_common_name(common_name)
    parse_email(email)
    if registration == "verified-email" and not email_verified:
        raise EmailNotVerifiedError("the e-mail address is not verified")


def verify_stated(
    *, certificate_policy: str, owner: str, common_name: str, stated: Mapping[str, str]
) -> dict[str, str]:
    """What an operator states, as it will stand in the certificate. Raises `EvidenceMissingError`,
    `AttributeDiffersError` if the name that was asked for is not the verified one, or `CertificateSubjectError`."""
    wanted = attributes_to_verify(certificate_policy=certificate_policy)
    values = {name: tidy(stated.get(name, "")) for name in wanted}
    if missing := [name for name, value in values.items() if not value and name not in _OPTIONAL]:
        raise EvidenceMissingError(", ".join(missing))
    subject_type = _subject_type(certificate_policy)
    if subject_type is NaturalPerson:
        values["identifier"] = values["identifier"] or owner
        verified = f"{values['given_name']} {values['surname']}"
    else:
        verified = values.get("organisation", common_name)
    if tidy(common_name) != verified:
        raise AttributeDiffersError("the name that was asked for is not the one that was verified")
    build_subject(_make(subject_type, {COMMON_NAME: common_name} | values))
    return values


def provisional_subject(*, certificate_policy: str, common_name: str) -> Subject:
    """A subject of the policy's kind under this name, to find out early whether anything could be issued at all."""
    values = {COMMON_NAME: common_name, "given_name": "A", "surname": "B", "organisation": common_name}
    subject_type = _subject_type(certificate_policy)
    identifier = "NTRFR-0" if subject_type is LegalPerson else "0"
    return _make(subject_type, values | {"country": "FR", "identifier": identifier})


def subject_of(*, certificate_policy: str, attributes: Iterable[RequestAttribute]) -> Subject:
    """The subject of what was verified and of nothing else. Raises `CertificateSubjectError`."""
    subject_type = _subject_type(certificate_policy)
    rows = {row.name: row for row in attributes}
    values = {name: row.value for name, row in rows.items() if row.source}
    if subject_type is UnverifiedPerson and COMMON_NAME in rows:
        values[COMMON_NAME] = rows[COMMON_NAME].value
    return _make(subject_type, values)


def tidy(text: str) -> str:
    """NFC, one blank between words. Case and accents count."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _make(subject_type: type[Subject], values: Mapping[str, str]) -> Subject:
    needed = (COMMON_NAME, *_ATTRIBUTES[subject_type])
    if any(name not in values for name in needed):
        raise CertificateSubjectError("not every attribute of the certificate was verified")
    return subject_type(**{name: values[name] for name in (*needed, EMAIL) if name in values})


def _subject_type(certificate_policy: str) -> type[Subject]:
    found = _profile(certificate_policy).subject
    if found is None:
        raise CertificatePolicyError("there is no such certificate policy")
    return found


def _profile(certificate_policy: str) -> Profile:
    profile = SUBSCRIBER_PROFILES.get(certificate_policy)
    if profile is None:
        raise CertificatePolicyError("there is no such certificate policy")
    return profile
