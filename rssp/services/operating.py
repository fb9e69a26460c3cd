"""What an operator may do with credentials and certificates. Every act is audited; none of them signs."""

from dataclasses import dataclass

from django.db import router, transaction
from django.db.models import QuerySet

from rssp.hsm.interface import CODE_KEY_ID
from rssp.models import AuditEvent, Certificate, CertificateRequest, Credential, KeyEncryptionKey, SigningKey
from rssp.services.auditing import record_events
from rssp.services.hsm import get_hsm
from rssp.services.keys import destroy_key
from rssp.services.revoking import resume_certificate, revoke_certificate, suspend_certificate


@dataclass(frozen=True)
class Operator:
    """Who acts, and in which request; ``subject`` is who they are as a user, empty if nobody here knows; ``client_id``
    is the client by which they do, empty in the administration and at the console."""

    name: str
    request_id: str
    address: str
    subject: str = ""
    client_id: str = ""

    def is_same(self, *, name: str, subject: str) -> bool:
        """Whether that was this person: whoever goes by several ways may have several names."""
        return name == self.name[:255] or (subject != "" and subject == self.subject)


# Somebody with a shell on the machine, whom nobody here can name.
CONSOLE = Operator(name="console", request_id="", address="")


def set_status(*, credential: Credential, status: str, reason: str, operator: Operator) -> bool:
    """Closes or opens a credential that is not ended; whether that changed anything. ``reason`` is the operator's
    own word."""
    with transaction.atomic(using=router.db_for_write(Credential)):
        rows = Credential.objects.filter(pk=credential.pk).exclude(status__in=[status, Credential.Status.ENDED])
        if not rows.update(status=Credential.Status(status)):
            return False
        record_events([operator_event(credential.credential_id, f"status set to {status}: {reason}", operator)])
    return True


def revoke(*, certificate: Certificate, reason_code: str, reason: str, operator: Operator) -> bool:
    """Revokes a certificate for ever; whether that changed anything. Revoked and audited, or neither.

    ``reason_code`` is one of `Certificate.Reason`, which CRL and OCSP tell everybody; ``reason`` is for the audit.
    """
    with transaction.atomic(using=router.db_for_write(Certificate)):
        if not revoke_certificate(certificate=certificate, reason=reason_code):
            return False
        _record(certificate, f"revoked ({reason_code}): {reason}", operator)
    return True


def suspend(*, certificate: Certificate, reason: str, operator: Operator) -> bool:
    """Puts a certificate on hold; whether that changed anything.

    What was approved and has been seen here is not signed afterwards. An approval that never reached this role is not
    known to it, and lives for its few minutes if the hold ends before them (docs/threat-model.md).
    """
    with transaction.atomic(using=router.db_for_write(Certificate)):
        if not suspend_certificate(certificate=certificate):
            return False
        _record(certificate, f"suspended: {reason}", operator)
    return True


def resume(*, certificate: Certificate, reason: str, operator: Operator) -> bool:
    """Takes a certificate off hold; whether that changed anything."""
    with transaction.atomic(using=router.db_for_write(Certificate)):
        if not resume_certificate(certificate=certificate):
            return False
        _record(certificate, f"resumed: {reason}", operator)
    return True


def _record(certificate: Certificate, done: str, operator: Operator) -> None:
    named = Credential.objects.filter(certificate=certificate).values_list("credential_id", flat=True).first()
    record_events([operator_event(named or "", f"certificate {certificate.serial_number} {done}", operator)])


def operator_event(credential_id: str, reason: str, operator: Operator) -> AuditEvent:
    """What an operator did, for `record_events`."""
    return AuditEvent(
        action=AuditEvent.Action.ADMINISTER,
        result=AuditEvent.Result.DONE,
        subject=operator.name[:255],
        factors="",
        client_id=operator.client_id,
        credential_id=credential_id,
        reason=reason[:255],
        address=operator.address,
        request_id=operator.request_id,
    )


def list_orphan_keys() -> list[bytes]:
    """Ids of keys that stand behind nothing: in the token and named by no row, or assigned and no credential's."""
    known = set(
        map(bytes, SigningKey.objects.exclude(state=SigningKey.State.DESTROYED).values_list("key_id", flat=True))
    )
    keks = KeyEncryptionKey.objects.exclude(state=KeyEncryptionKey.State.DESTROYED)
    known |= set(map(bytes, keks.values_list("key_id", flat=True)))
    authorities = Certificate.objects.exclude(hsm_key_id=None).values_list("hsm_key_id", flat=True)
    known |= {bytes(key_id) for key_id in authorities if key_id is not None}
    known.add(CODE_KEY_ID)
    unnamed = [key_id for key_id in get_hsm().list_key_ids() if key_id not in known]
    return unnamed + [bytes(key.key_id) for key in _stranded_keys()]


def destroy_orphan_key(*, key_id: bytes) -> None:
    """Of a key that `list_orphan_keys` named; audited before the key goes."""
    record_events([operator_event("", f"orphan key {key_id.hex()} destroyed", CONSOLE)])
    stranded = _stranded_keys().filter(key_id=key_id).first()
    if stranded is not None:
        destroy_key(key=stranded)
    else:
        get_hsm().destroy_key(key_id=key_id)


def _stranded_keys() -> QuerySet[SigningKey]:
    """Taken for a credential that a dying process did not record."""
    return SigningKey.objects.filter(state=SigningKey.State.ASSIGNED, credentials=None).exclude(
        requests__state__in=[CertificateRequest.State.WAITING, CertificateRequest.State.APPROVED]
    )
