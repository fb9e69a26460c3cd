"""The bin. Deleting can be undone until the time in the bin is over; what others hold of an envelope stays theirs."""

import uuid

from django.utils import timezone

from signapp.errors import EnvelopeOpenError
from signapp.models import Binned, Envelope
from signapp.services.envelopes.access import find_envelope, locked
from signapp.services.logins import Account


def bin_envelope(*, account: Account, envelope_id: uuid.UUID) -> None:
    """Throws it away for this account alone; again, nothing changes. Raises `EnvelopeOpenError`,
    `EnvelopeNotFoundError`."""
    find_envelope(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state == Envelope.State.SENT:
            raise EnvelopeOpenError
        Binned.objects.get_or_create(
            envelope=held,
            issuer=account.issuer,
            subject=account.subject,
            defaults={"binned_at": timezone.now()},
        )


def restore_envelope(*, account: Account, envelope_id: uuid.UUID) -> None:
    """Takes it back. Raises `EnvelopeNotFoundError`."""
    find_envelope(account=account, envelope_id=envelope_id)
    mine = Binned.objects.filter(envelope=envelope_id, issuer=account.issuer, subject=account.subject)
    mine.filter(is_final=False).delete()


def is_binned(*, account: Account, envelope: Envelope) -> bool:
    return Binned.objects.filter(envelope=envelope, issuer=account.issuer, subject=account.subject).exists()
