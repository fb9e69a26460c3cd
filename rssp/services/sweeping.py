"""The regular round over the ledger: what a process left behind when it died between two commits."""

from datetime import timedelta

from django.db import router, transaction
from django.utils import timezone

from rssp.models import ActivatedDigest, AuditEvent, Intent
from rssp.services.auditing import SYSTEM, describe_activation, record_events

State = ActivatedDigest.State

# From reserving to the intent takes milliseconds; a process that sleeps longer fails its own conditional intent.
RESERVATION_LIFETIME = timedelta(minutes=1)
# A thousand signatures of the slowest key on a slow HSM.
INTENT_LIFETIME = timedelta(minutes=10)
_BATCH = 500


def sweep_ledger() -> tuple[int, int]:
    """Releases reservations without an intent, marks old intents unknown; answers how many of each."""
    return _release_reservations(), _close_intents()


def _release_reservations() -> int:
    old = ActivatedDigest.objects.filter(
        state=State.RESERVED, reserved__lt=timezone.now() - RESERVATION_LIFETIME, intended=None
    )
    return old.update(state=State.AUTHORISED, call=None, reserved=None)


def _close_intents() -> int:
    now = timezone.now()
    closed = []
    with transaction.atomic(using=router.db_for_write(ActivatedDigest)):
        old = ActivatedDigest.objects.select_for_update(of=("self",)).filter(
            state=State.INTENDED, intended__lt=now - INTENT_LIFETIME
        )
        for row in old.select_related("activation__credential", "intent")[:_BATCH]:
            held = ActivatedDigest.objects.filter(pk=row.pk, state=State.INTENDED)
            if held.update(state=State.UNKNOWN, finished=now):
                closed.append(row)
        record_events(_event(row) for row in closed)
    return len(closed)


def _event(row: ActivatedDigest) -> AuditEvent:
    credential = row.activation.credential
    # Whoever wrote to the table may have left a row without its intent.
    intent: Intent | None = getattr(row, "intent", None)
    return AuditEvent(
        action=AuditEvent.Action.SIGN,
        result=AuditEvent.Result.UNKNOWN,
        credential_id=credential.credential_id if credential else "",
        hash_algorithm_oid=(intent or row).hash_algorithm_oid,
        digest=(intent or row).digest,
        reason="an intent without a result",
        **describe_activation(row.activation, call=row.call, origin=SYSTEM),
    )
