"""Handing one's place in an envelope to another address. The place stays (its order, its role, its fields); the person
changes, and what the one before them could see and do ends."""

import uuid

from django.utils import timezone

from signapp.errors import (
    DelegationRefusedError,
    DocumentBusyError,
    EnvelopeFullError,
    EnvelopeOverError,
    RecipientTwiceError,
)
from signapp.models import Document, Envelope, Event, Notice, Recipient
from signapp.services.envelopes import turns
from signapp.services.envelopes.access import find_envelope, locked, own_recipient, record
from signapp.services.logins import Account

_MOST_HANDOVERS = 20


def delegate(*, account: Account, envelope_id: uuid.UUID, name: str, email: str, reason: str) -> None:
    """Who was asked names somebody else, who is asked in their place; links that were mailed before open nothing.

    Raises `EnvelopeOverError` if it is not their turn, `DelegationRefusedError` if the sender does not allow it or they
    have signed, `DocumentBusyError` while their signature is made, `RecipientTwiceError`, `EnvelopeFullError`.
    """
    find_envelope(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        recipient = own_recipient(account, held)
        if held.state != Envelope.State.SENT or recipient is None or recipient.state != Recipient.State.ACTIVE:
            raise EnvelopeOverError
        if not held.may_delegate or recipient.turns.filter(state=Document.State.SIGNED).exists():
            raise DelegationRefusedError
        _require_idle(held, recipient)
        if held.recipients.filter(email__iexact=email).exists():
            raise RecipientTwiceError
        if held.events.filter(kind=Event.Kind.DELEGATED).count() >= _MOST_HANDOVERS:
            raise EnvelopeFullError
        record(held, Event.Kind.DELEGATED, actor=recipient.name, detail=f"{name} ({email}): {reason}")
        _hand_over(held, recipient, name, email)
        turns.notify(held, Notice.Kind.INVITATION, recipient)
        turns.notify(held, Notice.Kind.DELEGATED)


def _require_idle(envelope: Envelope, recipient: Recipient) -> None:
    now = timezone.now()
    committed = envelope.documents.filter(is_committed=True, lease_until__gt=now, holder__recipient=recipient)
    if committed.exists() or recipient.turns.filter(state=Document.State.SIGNING).exists():
        raise DocumentBusyError


def _hand_over(envelope: Envelope, recipient: Recipient, name: str, email: str) -> None:
    now = timezone.now()
    recipient.turns.all().delete()
    recipient.fields.update(value="")
    recipient.invitations.filter(revoked_at=None).update(revoked_at=now)
    is_sender = email.casefold() == envelope.sender_email.casefold()
    recipient.name, recipient.email = name, email
    recipient.issuer = envelope.issuer if is_sender else ""
    recipient.subject = envelope.subject if is_sender else ""
    recipient.asked_at, recipient.reminded_at = now, None
    recipient.save()
    if is_sender:
        turns.open_turns(recipient)
