"""What this role trusts: the configured file or the signing service's own root, an operator's anchors, and the
services of trusted lists that are in force."""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.db.models import Q
from django.utils import timezone

from gateway.errors import NotAnAnchorError, TrustedListMalformedError, TrustedListOutdatedError
from gateway.models import TrustAnchor, TrustedList
from gateway.pades import isolation
from gateway.pades.levels import Trust
from gateway.pades.values import TrustedListContent

log = logging.getLogger(__name__)

_LONGEST_PEM = 64 * 1024
_LONGEST_LIST = 32 * 1024 * 1024
_ALREADY = "This certificate is among the anchors already."


def list_trust(*, chain: Sequence[bytes]) -> Trust:
    """What our own output must lead to. ``chain`` is the signer's, as the signing service gave it: its top is trusted
    where no file says otherwise. A time-stamp may lead to either kind of anchor."""
    now = timezone.now()
    in_force = Q(trusted_list=None) | Q(trusted_list__next_update__gt=now)
    rows = TrustAnchor.objects.filter(in_force, enabled=True, not_before__lte=now, not_after__gt=now)
    chosen = [(purpose, bytes(der)) for purpose, der in rows.values_list("purpose", "der")]
    authorities = [der for purpose, der in chosen if purpose == TrustAnchor.Purpose.CERTIFICATES]
    anchors = tuple(dict.fromkeys([*_configured(chain), *authorities]))
    units = (der for purpose, der in chosen if purpose == TrustAnchor.Purpose.TIMESTAMPS)
    return Trust(anchors, tuple(dict.fromkeys([*anchors, *units])))


def _configured(chain: Sequence[bytes]) -> Sequence[bytes]:
    if not settings.TRUST_ANCHORS_FILE:
        return chain[-1:]
    pem = Path(settings.TRUST_ANCHORS_FILE).read_bytes()
    return [certificate.public_bytes(Encoding.DER) for certificate in x509.load_pem_x509_certificates(pem)]


def read_anchor(*, pem: bytes) -> x509.Certificate:
    """The one certificate of a PEM file, if it can be an anchor: of an authority, valid now, and new. Raises
    `NotAnAnchorError`, whose sentence says why not."""
    if len(pem) > _LONGEST_PEM:
        raise NotAnAnchorError("The file is longer than any certificate.")
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise NotAnAnchorError("The file holds no PEM certificate that can be read.") from None
    if len(certificates) != 1:
        raise NotAnAnchorError("The file must hold one certificate: each anchor is decided on alone.")
    [certificate] = certificates
    if not _is_authority(certificate):
        raise NotAnAnchorError("The certificate is not an authority's: it may not issue certificates.")
    if certificate.not_valid_after_utc <= timezone.now():
        raise NotAnAnchorError("The certificate has expired.")
    if certificate.not_valid_before_utc > timezone.now():
        raise NotAnAnchorError("The certificate is not valid yet.")
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    if TrustAnchor.objects.filter(fingerprint=fingerprint, purpose="ca", trusted_list=None).exists():
        raise NotAnAnchorError(_ALREADY)
    return certificate


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    try:
        may_sign = extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        may_sign = True
    return constraints.ca and may_sign


def add_anchor(*, pem: bytes, note: str, operator: str) -> TrustAnchor:
    """Raises `NotAnAnchorError`, also for a certificate that is there already."""
    certificate = read_anchor(pem=pem)
    anchor = _build_anchor(certificate.public_bytes(Encoding.DER), purpose="ca", operator=operator)
    anchor.note = note
    try:
        with transaction.atomic(using=router.db_for_write(TrustAnchor)):
            anchor.save(force_insert=True)
    except IntegrityError:
        raise NotAnAnchorError(_ALREADY) from None
    log.info("trust anchor %s added by %s", anchor.fingerprint, operator)
    return anchor


def change_anchor(*, anchor: TrustAnchor, enabled: bool, note: str, operator: str) -> None:
    """Enables or disables, and says why."""
    TrustAnchor.objects.filter(pk=anchor.pk).update(
        enabled=enabled, note=note, changed_at=timezone.now(), changed_by=operator
    )
    log.info("trust anchor %s %s by %s", anchor.fingerprint, "enabled" if enabled else "disabled", operator)


def import_trusted_list(*, xml: bytes, signers: Sequence[bytes], source: str, operator: str) -> TrustedList:
    """Puts the list's services in the place of what the territory's last list said: all of them, or, where anything
    is wrong, none. What an operator disabled stays disabled.

    ``signers``: DER certificates of the scheme operator. Raises a child of `TrustError`.
    """
    if len(xml) > _LONGEST_LIST:
        raise TrustedListMalformedError("The list is longer than any real one.")
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        file.write(xml)
        content = isolation.read_trusted_list(file, signers=signers, now=timezone.now())
    with transaction.atomic(using=router.db_for_write(TrustedList)):
        return _replace(content, hashlib.sha256(xml).hexdigest(), source, operator)


def _replace(content: TrustedListContent, sha256: str, source: str, operator: str) -> TrustedList:
    former = TrustedList.objects.select_for_update().filter(territory=content.territory).first()
    if former is not None and former.sequence_number > content.sequence_number:
        raise TrustedListOutdatedError
    disabled = set()
    if former is not None:
        disabled = set(former.anchors.filter(enabled=False).values_list("fingerprint", "purpose", "note"))
        former.delete()
    trusted_list = TrustedList.objects.create(
        territory=content.territory,
        operator=content.operator[:255],
        sequence_number=content.sequence_number,
        issued=datetime.fromisoformat(content.issued),
        next_update=datetime.fromisoformat(content.next_update),
        source=source[:1024],
        sha256=sha256,
        signer_sha256=content.signer_sha256,
        imported_by=operator,
    )
    notes = {(fingerprint, purpose): note for fingerprint, purpose, note in disabled}
    anchors = {}
    for service in content.services:
        anchor = _build_anchor(service.certificate, purpose=service.kind, operator=operator)
        key = (anchor.fingerprint, anchor.purpose)
        anchor.trusted_list, anchor.enabled, anchor.note = trusted_list, key not in notes, notes.get(key, "")
        anchors[key] = anchor
    TrustAnchor.objects.bulk_create(anchors.values())
    log.info("trusted list %s imported by %s: %d anchors", trusted_list, operator, len(anchors))
    return trusted_list


def configured_signers() -> list[bytes]:
    """DER certificates that a trusted list may be signed with, as the settings name them."""
    if not settings.TRUSTED_LIST_SIGNERS_FILE:
        return []
    pem = Path(settings.TRUSTED_LIST_SIGNERS_FILE).read_bytes()
    return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(pem)]


def _build_anchor(der: bytes, *, purpose: str, operator: str) -> TrustAnchor:
    try:
        certificate = x509.load_der_x509_certificate(der)
        name = certificate.subject.rfc4514_string()
    except ValueError:
        raise TrustedListMalformedError("The list holds a certificate that cannot be read.") from None
    return TrustAnchor(
        fingerprint=hashlib.sha256(der).hexdigest(),
        purpose=purpose,
        name=name[:512],
        der=der,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        added_by=operator,
    )
