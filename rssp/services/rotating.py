"""Rotation of the key-encryption key, while signers go on signing.

Every step is committed by itself, so what was interrupted goes on where it was: new keys are wrapped by the new KEK
from the first moment, the others one by one, and the old KEK goes when nothing needs it. A signature that read its key
before it was wrapped again finds the old KEK, or reads the key once more (`rssp.services.keys.open_key`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from rssp.models import AuditEvent, KeyEncryptionKey, SigningKey
from rssp.services.auditing import record_events
from rssp.services.keks import destroy_unused_keks, provide_kek, replace_kek
from rssp.services.keys import rewrap_key
from rssp.services.operating import CONSOLE

_STALE = KeyEncryptionKey.State.RETIRED


@dataclass(frozen=True)
class Rotation:
    """What one run did; ``begun`` is False where it took up an interrupted one."""

    begun: bool
    rewrapped: int
    destroyed: int


def rotate_kek(*, batch: int = 100) -> Rotation:
    """Raises `HsmError`; what was done until then stays done, and the next run goes on."""
    begun = not _stale_keys().exists()
    active = replace_kek() if begun else provide_kek()
    rewrapped = 0
    for keys in _batches(batch):
        rewrapped += sum(rewrap_key(key=key, kek=active) for key in keys)
    destroyed = len(destroy_unused_keks())
    record_events([_event(f"KEK rotated: {rewrapped} keys wrapped again, {destroyed} old KEKs destroyed")])
    return Rotation(begun, rewrapped, destroyed)


def _stale_keys() -> QuerySet[SigningKey]:
    return SigningKey.objects.filter(kek__state=_STALE).exclude(wrapped_key=None)


def _batches(size: int) -> Iterator[list[SigningKey]]:
    """A key that changed under the rotation comes again in a later batch."""
    while keys := list(_stale_keys().select_related("kek").order_by("pk")[:size]):
        yield keys


def _event(reason: str) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.ADMINISTER,
        result=AuditEvent.Result.DONE,
        subject=CONSOLE.name,
        factors="",
        reason=reason,
    )
