"""What an operator may do with credentials and certificates. Every act is audited; none of them signs."""

from dataclasses import dataclass

from django.db import router, transaction

from rssp.models import AuditEvent, Certificate, Credential
from rssp.services.auditing import record_events
from rssp.services.authority import revoke_certificate


@dataclass(frozen=True)
class Operator:
    """Who acts, and in which request."""

    name: str
    request_id: str
    address: str


def set_status(*, credential: Credential, status: str, operator: Operator) -> bool:
    """Closes or opens a credential; whether that changed anything."""
    with transaction.atomic(using=router.db_for_write(Credential)):
        rows = Credential.objects.filter(pk=credential.pk).exclude(status=status)
        if not rows.update(status=Credential.Status(status)):
            return False
        record_events([_event(credential.credential_id, f"status set to {status}", operator)])
    return True


def revoke(*, certificate: Certificate, operator: Operator) -> bool:
    """Revokes a signer's certificate for ever; whether that changed anything."""
    if certificate.status == Certificate.Status.REVOKED:
        return False
    revoke_certificate(certificate=certificate, reason="privilege_withdrawn")
    named = Credential.objects.filter(certificate=certificate).values_list("credential_id", flat=True).first()
    record_events([_event(named or "", f"certificate {certificate.serial_number} revoked", operator)])
    return True


def _event(credential_id: str, reason: str, operator: Operator) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.ADMINISTER,
        result=AuditEvent.Result.DONE,
        subject=operator.name[:255],
        factors="",
        credential_id=credential_id,
        reason=reason[:255],
        address=operator.address,
        request_id=operator.request_id,
    )
