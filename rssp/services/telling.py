"""Authorities outside are told what was revoked here: by CMP where they issue by it, and once.

A regular round does it, so that no revocation waits for another party and none is forgotten while that is away; it
needs no token. What the authority answers is kept with the certificate and audited.
"""

import logging

from django.db import router, transaction
from django.utils import timezone

from rssp.errors import IssuerRefusedError, IssuerUnavailableError
from rssp.models import AuditEvent, Certificate
from rssp.pki.crl import REASON_CODES
from rssp.services.auditing import record_events
from rssp.services.issuers import CMP, issuer_of, open_transaction

log = logging.getLogger(__name__)

_BATCH = 20


def tell_revocations() -> int:
    """How many the authority revoked at our word."""
    rows = Certificate.objects.filter(
        role=Certificate.Role.SIGNER,
        status=Certificate.Status.REVOKED,
        issuer__role=Certificate.Role.OUTSIDE,
        issuer_told=None,
        not_after__gt=timezone.now(),
    )
    by_cmp = [row for row in rows.order_by("pk")[:_BATCH] if issuer_of(certificate_policy=row.profile) == CMP]
    return sum(_tell(row) for row in by_cmp)


def _tell(certificate: Certificate) -> bool:
    refused = ""
    try:
        open_transaction().request_revocation(
            certificate=bytes(certificate.der), reason=REASON_CODES[certificate.revocation_reason]
        )
    except IssuerUnavailableError as error:
        log.warning("the issuer of %s is not told of its revocation yet: %s", certificate.serial_number, error)
        return False
    except IssuerRefusedError as error:
        log.error("the issuer of %s does not revoke it: %s", certificate.serial_number, error)
        refused = str(error)[:255] or "refused"
    with transaction.atomic(using=router.db_for_write(Certificate)):
        rows = Certificate.objects.filter(pk=certificate.pk, issuer_told=None)
        if not rows.update(issuer_told=timezone.now(), issuer_refusal=refused):
            return False
        event = AuditEvent(
            action=AuditEvent.Action.ADMINISTER,
            result=AuditEvent.Result.REFUSED if refused else AuditEvent.Result.DONE,
            reason=f"{certificate.serial_number}: its issuer was told{': ' if refused else ''}{refused}"[:255],
        )
        record_events([event])
    return not refused
