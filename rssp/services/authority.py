"""The certification authority: its own keys and certificates, and signers' certificates.

A certificate's row, with its serial number, is committed before an authority's key is asked to sign. What fails after
that leaves the row ``intended``: a serial number that was perhaps signed, and is never used again.
"""

import secrets
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from rssp.errors import AuthorityMissingError, CertificatePolicyError
from rssp.models import Certificate
from rssp.pki.ca import Draft, Issuer, build_certificate
from rssp.pki.profiles import ISSUING, ROOT, SIGNER_PROFILES, Profile
from rssp.pki.subjects import build_authority_name, build_signer_name, parse_email
from rssp.services.hsm import get_hsm

# Clocks of those who verify may be a little behind ours.
_BACKDATED = timedelta(minutes=1)
_AUTHORITIES: dict[str, Profile] = {ROOT.role: ROOT, ISSUING.role: ISSUING}


def prepare_authority() -> list[Certificate]:
    """Root and issuing authority, made if they are not there. Safe to run at every start, and by two at once."""
    root = _find_authority(ROOT) or _make_authority(ROOT, None)
    issuing = _find_authority(ISSUING) or _make_authority(ISSUING, root)
    return [root, issuing]


def read_authority(*, role: str) -> Certificate:
    """The certificate of ``root`` or ``issuing``; raises `AuthorityMissingError`."""
    certificate = _find_authority(_AUTHORITIES[role])
    if certificate is None:
        raise AuthorityMissingError("the authority is not prepared")
    return certificate


def issue_certificate(
    *, certificate_policy: str, common_name: str, email: str, public_key: bytes, key_algorithm: str
) -> Certificate:
    """A signer's certificate for a key that was made in the HSM just now (``public_key``: DER SubjectPublicKeyInfo).

    Raises `CertificatePolicyError`, `CertificateSubjectError`, `AuthorityMissingError` or `HsmUnavailableError` before
    anything is signed; otherwise `SigningFailedError` or `CertificateLintError`.
    """
    profile, issuer, subject, address = _read_wish(certificate_policy, common_name, email)
    not_before, not_after = _validity(profile, until=issuer.not_after)
    draft = Draft(
        profile=profile,
        serial_number=x509.random_serial_number(),
        subject=subject,
        email=address,
        public_key=public_key,
        not_before=not_before,
        not_after=not_after,
    )
    return _issue(draft, issuer)


def verify_issuable(*, certificate_policy: str, common_name: str, email: str) -> None:
    """What can be known before there is a key. Raises `CertificatePolicyError`, `CertificateSubjectError` or
    `AuthorityMissingError`."""
    _read_wish(certificate_policy, common_name, email)


def _read_wish(certificate_policy: str, common_name: str, email: str) -> tuple[Profile, Certificate, x509.Name, str]:
    profile = SIGNER_PROFILES.get(certificate_policy)
    if profile is None:
        raise CertificatePolicyError("there is no such certificate policy")
    subject, address = build_signer_name(common_name), parse_email(email)
    issuer = read_authority(role="issuing")
    if certificate_status(issuer, timezone.now()) != Certificate.Status.VALID:
        raise AuthorityMissingError("the issuing authority's certificate is not valid now")
    return profile, issuer, subject, address


def revoke_certificate(*, certificate: Certificate, reason: str) -> bool:
    """Revoked for good; a second time changes nothing. Whether it was this time."""
    still_good = Certificate.objects.filter(pk=certificate.pk).exclude(status=Certificate.Status.REVOKED)
    revoked = still_good.update(
        status=Certificate.Status.REVOKED, revoked_at=timezone.now(), revocation_reason=reason[:64]
    )
    certificate.refresh_from_db()
    return bool(revoked)


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


def _find_authority(profile: Profile) -> Certificate | None:
    return Certificate.objects.filter(
        role=profile.role, state=Certificate.State.ISSUED, status=Certificate.Status.VALID
    ).first()


def _make_authority(profile: Profile, issuer: Certificate | None) -> Certificate:
    """A key and its certificate. Of two processes that come here at once the slower one destroys its key again."""
    key_id = secrets.token_bytes(16)
    hsm = get_hsm()
    public_key = hsm.generate_key(key_id=key_id, label=profile.name, key_algorithm=str(profile.key_algorithm))
    not_before, not_after = _validity(profile, until=issuer.not_after if issuer else None)
    draft = Draft(
        profile=profile,
        serial_number=x509.random_serial_number(),
        subject=build_authority_name(
            common_name=str(profile.common_name).format(name=settings.RSSP_NAME),
            organisation=f"{settings.RSSP_NAME} (demonstration)",
            country=settings.RSSP_REGION,
        ),
        email=None,
        public_key=public_key,
        not_before=not_before,
        not_after=not_after,
    )
    try:
        return _issue(draft, issuer, key_id)
    except IntegrityError:
        hsm.destroy_key(key_id=key_id)
        return read_authority(role=profile.role)


def _issue(draft: Draft, issuer: Certificate | None, key_id: bytes | None = None) -> Certificate:
    """Intent, signature, outcome. ``issuer`` None signs with the new key itself, which ``key_id`` names."""
    with transaction.atomic(using=router.db_for_write(Certificate), durable=True):
        certificate = Certificate.objects.create(
            serial_number=f"{draft.serial_number:x}",
            role=draft.profile.role,
            profile=draft.profile.name,
            issuer=issuer,
            subject=draft.subject.rfc4514_string(),
            not_before=draft.not_before,
            not_after=draft.not_after,
            hsm_key_id=key_id,
        )
    signing_key = key_id if issuer is None else issuer.hsm_key_id
    with get_hsm().open_key(key_id=bytes(signing_key or b"")) as signer:
        der = build_certificate(draft=draft, issuer=_describe_issuer(draft, issuer), signer=signer)
    certificate.der = der
    certificate.state = Certificate.State.ISSUED
    with transaction.atomic(using=router.db_for_write(Certificate)):
        certificate.save(update_fields=["der", "state"])
    return certificate


def _describe_issuer(draft: Draft, issuer: Certificate | None) -> Issuer:
    if issuer is None:
        return Issuer(draft.subject, draft.public_key, ROOT.hash_name or "sha384", None)
    certificate = x509.load_der_x509_certificate(bytes(issuer.der))
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    address = f"{settings.RSSP_URL}/pki/{issuer.role}.cer"
    return Issuer(certificate.subject, spki, _AUTHORITIES[issuer.role].hash_name or "sha256", address)


def _validity(profile: Profile, *, until: datetime | None) -> tuple[datetime, datetime]:
    """Whole seconds, as a certificate holds them, and never beyond the issuer's own."""
    start = timezone.now().replace(microsecond=0) - _BACKDATED
    end = start + profile.validity
    return start, min(end, until) if until else end
