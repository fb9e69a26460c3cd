"""The certification authority: its own keys and certificates, and those of signers and seals.

A certificate's row, with its serial number, is committed before an authority's key is asked to sign. What fails after
that leaves the row ``intended``: a serial number that was perhaps signed, and is never used again.

A role of the service's own (``root``, ``issuing``, ``tsa``, ``ocsp``) has generations, each a key and a certificate:
the newest one works, older ones stay to be verified with, and an older issuing authority goes on with its CRLs.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from rssp.errors import (
    AuthorityMissingError,
    CertificateKeyError,
    CertificateLintError,
    CertificatePolicyError,
    CertificateSubjectError,
    KeyNotFoundError,
)
from rssp.models import Certificate
from rssp.pki.ca import Draft, Issuer, build_certificate
from rssp.pki.extensions import Addresses
from rssp.pki.keys import verify_certifiable_key
from rssp.pki.linting import lint_draft
from rssp.pki.profiles import ISSUING, OWN_PROFILES, ROOT, SUBSCRIBER_PROFILES, Profile
from rssp.pki.remote_key import RemoteKey
from rssp.pki.subjects import Subject, build_organisation_name, build_subject, parse_email
from rssp.services.hsm import get_hsm
from rssp.services.scopes import assign_partition, list_address

# Clocks of those who verify may be a little behind ours.
_BACKDATED = timedelta(minutes=1)


def prepare_authority() -> list[Certificate]:
    """Root and issuing authority, made if they are not there. Safe to run at every start, and by two at once.

    Where the root's key is kept elsewhere nothing is made (`rssp.services.ceremony`): what there is, is returned.
    """
    if settings.RSSP_ROOT_ELSEWHERE:
        found = (_find_authority(profile) for profile in (ROOT, ISSUING))
        return [certificate for certificate in found if certificate is not None]
    root = _find_or_make(ROOT, None)
    return [root, _find_or_make(ISSUING, root)]


def make_root() -> tuple[Certificate, bool]:
    """The root, and whether it was made just now."""
    found = _find_authority(ROOT)
    return (found, False) if found is not None else (_find_or_make(ROOT, None), True)


def renew_issuing_authority() -> Certificate:
    """The issuing authority's next generation, with a key of its own, below the newest root: from now on it issues,
    and older ones go on with their CRLs and OCSP answers. Raises `AuthorityMissingError` or a child of `HsmError`."""
    root = read_authority(role=ROOT.role)
    if root.hsm_key_id is None:
        raise KeyNotFoundError("the root's key is not in this token")
    return _make_authority(ISSUING, root, generation=next_generation(ISSUING))


def issue_to_request(*, profile: Profile, issuer: Certificate, subject: x509.Name, public_key: bytes) -> Certificate:
    """The certificate of an authority whose key is elsewhere and who proved to have it. Raises as `issue_certificate`
    does."""
    _verify_key_use(public_key, None)
    not_before, not_after = _validity(profile, until=issuer.not_after)
    draft = Draft(
        profile=profile,
        serial_number=x509.random_serial_number(),
        subject=subject,
        email=None,
        public_key=public_key,
        not_before=not_before,
        not_after=not_after,
    )
    return _issue(draft, issuer, generation=next_generation(profile))


def prepare_service_certificate(*, role: str, issuer: Certificate | None = None) -> Certificate:
    """The certificate of ``tsa`` or ``ocsp`` to work with now: the newest one, or a new one with a new key when there
    is none or its end comes near. Safe to run often, and by two at once.

    ``issuer`` is the issuing authority that certifies it, the newest one unless said otherwise: each issuing authority
    has its own OCSP responder (RFC 6960, 4.2.2.2). Raises `AuthorityMissingError` or a child of `HsmError`.
    """
    profile = OWN_PROFILES[role]
    return _find_or_make(profile, issuer or read_authority(role=ISSUING.role), renewed=profile.renewed)


def read_authority(*, role: str, issuer: Certificate | None = None) -> Certificate:
    """The newest certificate of ``root``, ``issuing``, ``tsa`` or ``ocsp`` that is valid now; raises
    `AuthorityMissingError`."""
    certificate = _find_authority(OWN_PROFILES[role], issuer)
    if certificate is None:
        raise AuthorityMissingError(f"there is no valid certificate of the role {role}")
    return certificate


def list_authority(*, role: str) -> list[Certificate]:
    """Every generation that was issued, newest first, whether or not it is still valid."""
    return list(_generations(OWN_PROFILES[role]))


def find_published(*, name: str) -> Certificate:
    """The certificate whose `published_name` this is; raises `AuthorityMissingError`."""
    role, _, _generation = name.partition("-")
    if role in OWN_PROFILES:
        for certificate in _generations(OWN_PROFILES[role]):
            if certificate.published_name == name:
                return certificate
    raise AuthorityMissingError("there is no such certificate")


@contextmanager
def open_authority_key(certificate: Certificate) -> Iterator[RemoteKey]:
    """The key behind one of the service's own certificates, for `cryptography`'s builders of certificates, CRLs and
    OCSP answers, which are to sign with `RemoteKey.hash_algorithm`.

    Raises `KeyNotFoundError` when the key is not in this token, or `HsmUnavailableError`; signing itself raises
    `SigningFailedError`.
    """
    if certificate.hsm_key_id is None:
        raise KeyNotFoundError(f"the key of {certificate.published_name} is not in this token")
    described = describe_issuer(certificate)
    public_key = x509.load_der_x509_certificate(bytes(certificate.der)).public_key()
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise KeyNotFoundError(f"the key of {certificate.published_name} is of another kind")
    with get_hsm().open_key(key_id=bytes(certificate.hsm_key_id)) as signer:
        yield RemoteKey(public_key=public_key, spki=described.public_key, signer=signer, hash_name=described.hash_name)


def issue_certificate(
    *, certificate_policy: str, subject: Subject, public_key: bytes, renews: Certificate | None = None
) -> Certificate:
    """A signer's or a seal's certificate (``public_key``: DER SubjectPublicKeyInfo). ``renews`` is the certificate that
    the key has so far; without it the key is new.

    Raises `CertificatePolicyError`, `CertificateSubjectError`, `CertificateKeyError`, `AuthorityMissingError` or
    `HsmUnavailableError` before anything is signed; otherwise `SigningFailedError` or `CertificateLintError`.
    """
    profile, issuer, name = _read_wish(certificate_policy, subject)
    verify_certifiable_key(public_key)
    _verify_key_use(public_key, renews)
    not_before, not_after = _validity(profile, until=issuer.not_after)
    draft = Draft(
        profile=profile,
        serial_number=x509.random_serial_number(),
        subject=name,
        email=None if subject.email is None else parse_email(subject.email),
        public_key=public_key,
        not_before=not_before,
        not_after=not_after,
    )
    return _issue(draft, issuer, renews=renews)


def verify_issuable(*, certificate_policy: str, subject: Subject) -> None:
    """What can be known before there is a key. Raises `CertificatePolicyError`, `CertificateSubjectError` or
    `AuthorityMissingError`."""
    _read_wish(certificate_policy, subject)


def _read_wish(certificate_policy: str, subject: Subject) -> tuple[Profile, Certificate, x509.Name]:
    profile = SUBSCRIBER_PROFILES.get(certificate_policy)
    if profile is None or profile.name not in settings.RSSP_CERTIFICATE_POLICIES:
        raise CertificatePolicyError("there is no such certificate policy")
    if type(subject) is not profile.subject:
        raise CertificateSubjectError("this certificate policy is for subjects of another kind")
    name = build_subject(subject)
    if subject.email is not None:
        parse_email(subject.email)
        profile = profile.with_email or profile
    return profile, read_authority(role=ISSUING.role), name


def _verify_key_use(public_key: bytes, renews: Certificate | None) -> None:
    """One key, one credential."""
    checksum = hashlib.sha256(public_key).hexdigest()
    if renews is not None:
        if renews.public_key_sha256 == checksum:
            return
        raise CertificateKeyError("the certificate to be renewed is for another key")
    issued = Certificate.objects.filter(state=Certificate.State.ISSUED)
    if issued.filter(public_key_sha256=checksum).exists():
        raise CertificateKeyError("the key is in a certificate already")


def certificate_status(certificate: Certificate, now: datetime) -> str:
    """CSC's ``cert.status``: valid, expired, revoked or suspended. What is not issued, or not valid yet, is no better
    than suspended."""
    if certificate.status != Certificate.Status.VALID:
        return str(certificate.status)
    if now > certificate.not_after:
        return "expired"
    if certificate.state != Certificate.State.ISSUED or now < certificate.not_before:
        return str(Certificate.Status.SUSPENDED)
    return str(Certificate.Status.VALID)


def read_chain(certificate: Certificate) -> list[bytes]:
    """DER, this certificate first, the root last."""
    chain = [bytes(certificate.der)]
    while certificate.issuer is not None:
        certificate = certificate.issuer
        chain.append(bytes(certificate.der))
    return chain


def describe_issuer(certificate: Certificate, *, partition: int = 0) -> Issuer:
    """What those that it issues, and whose partition of its revocation lists that is, say of the service's own
    certificate."""
    parsed = x509.load_der_x509_certificate(bytes(certificate.der))
    base, name = settings.RSSP_PKI_URL, certificate.published_name
    return Issuer(
        name=parsed.subject,
        public_key=parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        hash_name=OWN_PROFILES[certificate.role].hash_name or "sha256",
        addresses=Addresses(issuer=f"{base}/{name}.cer", crl=list_address(certificate, partition), ocsp=f"{base}/ocsp"),
    )


def _generations(profile: Profile) -> QuerySet[Certificate]:
    rows = Certificate.objects.filter(role=profile.role, state=Certificate.State.ISSUED)
    return rows.order_by("-generation")


def next_generation(profile: Profile) -> int:
    return (_generations(profile).aggregate(latest=Max("generation"))["latest"] or 0) + 1


def build_own_name(profile: Profile, generation: int) -> x509.Name:
    """Whom the service's own certificate names: the operator's organisation (EN 319 412-2, 4.2.3.1)."""
    return build_organisation_name(
        common_name=str(profile.common_name).format(name=settings.RSSP_NAME) + _suffix(generation),
        organisation=settings.RSSP_ORGANIZATION,
        identifier=settings.RSSP_ORGANIZATION_IDENTIFIER,
        country=settings.RSSP_REGION,
    )


def _suffix(generation: int) -> str:
    return "" if generation == 1 else f" {generation}"


def _find_authority(profile: Profile, issuer: Certificate | None = None) -> Certificate | None:
    now = timezone.now()
    rows = _generations(profile).filter(status=Certificate.Status.VALID, not_before__lte=now, not_after__gte=now)
    return (rows if issuer is None else rows.filter(issuer=issuer)).first()


def _find_or_make(profile: Profile, issuer: Certificate | None, *, renewed: timedelta = timedelta(0)) -> Certificate:
    # Counted before the look: if another process makes this generation in between, the slower one finds it taken.
    following = next_generation(profile)
    found = _find_authority(profile, issuer)
    if found is not None and timezone.now() < found.not_before + profile.validity - renewed:
        return found
    return _make_authority(profile, issuer, generation=following)


def _make_authority(profile: Profile, issuer: Certificate | None, *, generation: int) -> Certificate:
    """A key and its certificate. Of two processes that come here at once the slower one destroys its key again."""
    key_id = secrets.token_bytes(16)
    hsm = get_hsm()
    public_key = hsm.generate_key(
        key_id=key_id, label=f"{profile.name}{_suffix(generation)}", key_algorithm=str(profile.key_algorithm)
    )
    not_before, not_after = _validity(profile, until=issuer.not_after if issuer else None)
    draft = Draft(
        profile=profile,
        serial_number=x509.random_serial_number(),
        subject=build_own_name(profile, generation),
        email=None,
        public_key=public_key,
        not_before=not_before,
        not_after=not_after,
    )
    try:
        return _issue(draft, issuer, key_id=key_id, generation=generation)
    except CertificateLintError:
        hsm.destroy_key(key_id=key_id)  # nothing was signed
        raise
    except IntegrityError:
        hsm.destroy_key(key_id=key_id)
        return read_authority(role=profile.role, issuer=issuer)


def _issue(
    draft: Draft,
    issuer: Certificate | None,
    *,
    key_id: bytes | None = None,
    generation: int = 1,
    renews: Certificate | None = None,
) -> Certificate:
    """Intent, lint, signature, outcome. ``issuer`` None signs with the new key itself, which ``key_id`` names."""
    with transaction.atomic(using=router.db_for_write(Certificate), durable=True):
        partition = 0 if issuer is None else assign_partition(issuer=issuer)
        certificate = Certificate.objects.create(
            serial_number=f"{draft.serial_number:x}",
            role=draft.profile.role,
            profile=draft.profile.name,
            generation=generation,
            issuer=issuer,
            partition=partition,
            renews=renews,
            subject=draft.subject.rfc4514_string(),
            public_key_sha256=hashlib.sha256(draft.public_key).hexdigest(),
            not_before=draft.not_before,
            not_after=draft.not_after,
            hsm_key_id=key_id,
        )
    described = _describe_itself(draft) if issuer is None else describe_issuer(issuer, partition=partition)
    lint_draft(draft=draft, issuer=described, in_development=settings.DEVELOPMENT)
    signing_key = key_id if issuer is None else issuer.hsm_key_id
    if signing_key is None:
        raise KeyNotFoundError("the issuer's key is not in this token")
    with get_hsm().open_key(key_id=bytes(signing_key)) as signer:
        der = build_certificate(draft=draft, issuer=described, signer=signer)
    certificate.der = der
    certificate.state = Certificate.State.ISSUED
    with transaction.atomic(using=router.db_for_write(Certificate)):
        certificate.save(update_fields=["der", "state"])
    return certificate


def _describe_itself(draft: Draft) -> Issuer:
    return Issuer(draft.subject, draft.public_key, draft.profile.hash_name or "sha384", Addresses())


def _validity(profile: Profile, *, until: datetime | None) -> tuple[datetime, datetime]:
    """Whole seconds, as a certificate holds them, and never beyond the issuer's own."""
    start = timezone.now().replace(microsecond=0) - _BACKDATED
    end = start + profile.validity
    return start, min(end, until) if until else end
