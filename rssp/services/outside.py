"""Certificates from other authorities: verified against the authorities that the settings trust, and kept."""

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from rssp.errors import WrongCertificateError
from rssp.models import Certificate
from rssp.pki.outside import parse_certificates, verify_outside_certificate


def verify_certificate(*, der: bytes, beside: list[bytes], public_key: bytes, common_name: str) -> list[bytes]:
    """The certificate's chain to one of ``OUTSIDE_ANCHORS_FILE``. Raises `WrongCertificateError`, for one that is here
    already too."""
    if Certificate.objects.filter(der=der).exists():
        raise WrongCertificateError("it is here already")
    return verify_outside_certificate(
        der=der,
        beside=beside,
        anchors=_read_anchors(),
        public_key=public_key,
        common_name=common_name,
        now=timezone.now(),
    )


def keep_certificate(*, chain: list[bytes], certificate_policy: str, renews: Certificate | None = None) -> Certificate:
    """Keeps a verified chain; answers with the row of the signer's certificate. Authorities that are here stay as they
    are."""
    with transaction.atomic(using=router.db_for_write(Certificate)):
        issuer = None
        for der in reversed(chain[1:]):
            known = Certificate.objects.filter(role=Certificate.Role.OUTSIDE, der=der).first()
            issuer = known or _keep(der, Certificate.Role.OUTSIDE, "outside", issuer)
        return _keep(chain[0], Certificate.Role.SIGNER, certificate_policy, issuer, renews)


def _read_anchors() -> list[bytes]:
    if not settings.OUTSIDE_ANCHORS_FILE:
        raise WrongCertificateError("no outside authority is trusted here")
    try:
        return parse_certificates(Path(settings.OUTSIDE_ANCHORS_FILE).read_bytes())
    except OSError:
        raise WrongCertificateError("the file of trusted authorities cannot be read") from None


def _keep(
    der: bytes, role: str, profile: str, issuer: Certificate | None, renews: Certificate | None = None
) -> Certificate:
    parsed = x509.load_der_x509_certificate(der)
    return Certificate.objects.create(
        serial_number=f"{parsed.serial_number:x}",
        role=role,
        profile=profile,
        state=Certificate.State.ISSUED,
        issuer=issuer,
        renews=renews,
        subject=parsed.subject.rfc4514_string()[:512],
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        der=der,
        public_key_sha256=""
        if role == Certificate.Role.OUTSIDE
        else hashlib.sha256(_public_key_of(parsed)).hexdigest(),
    )


def _public_key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
