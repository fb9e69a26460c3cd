"""Changes of a certificate's status, which is the one source of what CRL, OCSP and CSC say.

A change and what follows from it are one transaction: the certificate's row with a new version, under which no older
OCSP answer counts; the scope's count, which makes its CRL stale; and the end of every approval that waits. It is the
caller's transaction, so that the audit stands or falls with it.
"""

from enum import Enum, auto
from typing import Any

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from rssp.models import ActivatedDigest, Certificate, RevocationScope

Status = Certificate.Status
State = ActivatedDigest.State


class Publisher(Enum):
    """Who tells the world a certificate's status."""

    HERE = auto()
    ELSEWHERE = auto()
    NOBODY = auto()


def publisher_of(certificate: Certificate) -> Publisher:
    """Of a root nobody, of what another authority issued that authority, of everything else this service."""
    outside = Certificate.Role.OUTSIDE
    if certificate.role == outside or (certificate.issuer is not None and certificate.issuer.role == outside):
        return Publisher.ELSEWHERE
    return Publisher.NOBODY if certificate.issuer is None else Publisher.HERE


def revoke_certificate(*, certificate: Certificate, reason: str) -> bool:
    """Revoked for good, with a reason of RFC 5280, 5.3.1 (`Certificate.Reason`); a second time changes nothing.
    Whether it was this time. Of a
    certificate that was on hold the date stays the hold's, as X.509 has it."""
    told = Certificate.Reason(reason)
    if told == Certificate.Reason.CERTIFICATE_HOLD:
        raise ValueError("a hold is no revocation")
    with transaction.atomic(using=router.db_for_write(Certificate)):
        since = timezone.now()
        if _change(certificate, Status.VALID, status=Status.REVOKED, revoked_at=since, revocation_reason=told):
            return True
        return _change(certificate, Status.SUSPENDED, status=Status.REVOKED, revocation_reason=told)


def suspend_certificate(*, certificate: Certificate) -> bool:
    """On hold until it is resumed or revoked; whether that changed anything."""
    return _change(
        certificate,
        Status.VALID,
        status=Status.SUSPENDED,
        revoked_at=timezone.now(),
        revocation_reason=Certificate.Reason.CERTIFICATE_HOLD,
    )


def resume_certificate(*, certificate: Certificate) -> bool:
    """Off hold, as if it had never been on it: the next CRL, which is complete, does not name it, so removeFromCRL
    (which is for delta CRLs) is never said. Whether that changed anything."""
    return _change(certificate, Status.SUSPENDED, status=Status.VALID, revoked_at=None, revocation_reason="")


def _change(certificate: Certificate, before: Certificate.Status, **values: Any) -> bool:
    with transaction.atomic(using=router.db_for_write(Certificate)):
        rows = Certificate.objects.filter(pk=certificate.pk, status=before)
        if not rows.update(status_version=F("status_version") + 1, **values):
            return False
        _mark_scope(certificate)
        withdraw_approvals(certificate=certificate)
    certificate.refresh_from_db()
    return True


def _mark_scope(certificate: Certificate) -> None:
    """Of a root and of what is issued elsewhere, others publish the status, if anybody does."""
    if publisher_of(certificate) != Publisher.HERE:
        return
    scope, _ = RevocationScope.objects.get_or_create(issuer_id=certificate.issuer_id, partition=certificate.partition)
    RevocationScope.objects.filter(pk=scope.pk).update(changes=F("changes") + 1)


def withdraw_approvals(*, certificate: Certificate) -> None:
    """What was approved and not signed yet. A call that reserved and has not recorded its intent loses its rows: the
    HSM has not been asked, and will not be."""
    waiting = ActivatedDigest.objects.filter(
        activation__credential__certificate=certificate, state__in=[State.AUTHORISED, State.RESERVED]
    )
    waiting.update(state=State.WITHDRAWN, finished=timezone.now())
