"""What people do with an envelope that is under way, beside signing."""

import uuid
from datetime import timedelta

from django.utils import timezone

from signapp.errors import EnvelopeNotFoundError, EnvelopeOverError, RemindedLatelyError
from signapp.models import Envelope, Event, Notice, Recipient
from signapp.services.envelopes import turns
from signapp.services.envelopes.access import find_envelope, find_own, locked, own_recipient, record
from signapp.services.logins import Account

_BETWEEN_REMINDERS = timedelta(hours=1)
_BETWEEN_LINKS = timedelta(minutes=10)


def approve_envelope(*, account: Account, envelope_id: uuid.UUID) -> None:
    """An approver's consent: written into the trail, no signature. Raises `EnvelopeOverError` if it is not theirs."""
    find_envelope(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        recipient = own_recipient(account, held)
        if held.state != Envelope.State.SENT or recipient is None or recipient.state != Recipient.State.ACTIVE:
            raise EnvelopeOverError
        if recipient.role != Recipient.Role.APPROVER:
            raise EnvelopeOverError
        turns.finish(held, recipient, Event.Kind.APPROVED)


def decline_envelope(*, account: Account, envelope_id: uuid.UUID, reason: str) -> None:
    """One person's no ends it for all. Raises `EnvelopeOverError`, `DocumentBusyError` while a signature is made."""
    find_envelope(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        recipient = own_recipient(account, held)
        if recipient is None or recipient.state != Recipient.State.ACTIVE:
            raise EnvelopeOverError
        turns.end(held, Envelope.State.DECLINED, reason=reason)
        recipient.state, recipient.reason, recipient.acted_at = Recipient.State.DECLINED, reason, timezone.now()
        recipient.save()
        record(held, Event.Kind.DECLINED, actor=recipient.name, detail=reason)
        turns.tell_everybody(held, Notice.Kind.DECLINED, but=recipient)


def cancel_envelope(*, account: Account, envelope_id: uuid.UUID, reason: str) -> None:
    """The sender's. Raises `EnvelopeOverError`, `DocumentBusyError`."""
    find_own(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        turns.end(held, Envelope.State.CANCELLED, reason=reason)
        record(held, Event.Kind.CANCELLED, actor=account.name, detail=reason)
        turns.tell_everybody(held, Notice.Kind.CANCELLED)


def resend(*, account: Account, envelope_id: uuid.UUID, recipient_id: uuid.UUID) -> None:
    """A new link to one person whose turn it is. Raises `EnvelopeOverError`, `EnvelopeNotFoundError`, and
    `RemindedLatelyError` if one went within the last ten minutes."""
    find_own(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        recipient = held.recipients.filter(pk=recipient_id).first()
        if recipient is None:
            raise EnvelopeNotFoundError
        if held.state != Envelope.State.SENT or recipient.state != Recipient.State.ACTIVE:
            raise EnvelopeOverError
        if recipient.notices.filter(created__gt=timezone.now() - _BETWEEN_LINKS).exists():
            raise RemindedLatelyError
        turns.notify(held, Notice.Kind.INVITATION, recipient)
        record(held, Event.Kind.REMINDED, actor=account.name, detail=recipient.name)


def remind(*, account: Account, envelope_id: uuid.UUID) -> int:
    """Writes, with a new link, to everybody whose turn it is; how many. Raises `EnvelopeOverError`,
    `RemindedLatelyError` if nobody is left to whom nothing went within the hour."""
    find_own(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state != Envelope.State.SENT:
            raise EnvelopeOverError
        count = remind_those(held, silent_for=_BETWEEN_REMINDERS, actor=account.name)
        if not count:
            raise RemindedLatelyError
        return count


def remind_those(envelope: Envelope, *, silent_for: timedelta, actor: str = "") -> int:
    """The caller holds the envelope."""
    now = timezone.now()
    count = 0
    for recipient in envelope.recipients.filter(state=Recipient.State.ACTIVE).exclude(role=Recipient.Role.COPY):
        last = max(filter(None, (recipient.asked_at, recipient.reminded_at)), default=None)
        if last is not None and last > now - silent_for:
            continue
        recipient.reminded_at = now
        recipient.save()
        turns.notify(envelope, Notice.Kind.REMINDER, recipient)
        record(envelope, Event.Kind.REMINDED, actor=actor, detail=recipient.name)
        count += 1
    return count
