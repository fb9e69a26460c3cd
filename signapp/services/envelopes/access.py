"""Whose an envelope is. Everything takes the account first: an envelope of others does not exist."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from signapp.errors import EnvelopeNotFoundError, EnvelopeSentError
from signapp.models import Binned, Envelope, EnvelopeDocument, Event, Recipient
from signapp.models.documents import ChangingQuerySet
from signapp.services.logins import Account

# Who was asked, or answered, may look; who has not been asked yet or handed it over may not.
SEES = (Recipient.State.ACTIVE, Recipient.State.DONE, Recipient.State.DECLINED)


def visible_envelopes(account: Account) -> ChangingQuerySet:
    """What this account sent, and what was sent to it, but for what it threw away for good."""
    mine = Recipient.objects.filter(
        envelope=OuterRef("pk"), issuer=account.issuer, subject=account.subject, state__in=SEES
    )
    sent = Q(issuer=account.issuer, subject=account.subject)
    found: ChangingQuerySet = Envelope.objects.filter(sent | Exists(mine))
    return found.exclude(state=Envelope.State.TEMPLATE).exclude(in_bin(account, is_final=True))


def in_bin(account: Account, *, is_final: bool) -> Exists:
    """For a query of envelopes: those that this account threw away."""
    own = Binned.objects.filter(envelope=OuterRef("pk"), issuer=account.issuer, subject=account.subject)
    return Exists(own.filter(is_final=is_final))


def find_envelope(*, account: Account, envelope_id: uuid.UUID) -> Envelope:
    """Raises `EnvelopeNotFoundError` unless this account sent it or takes part in it."""
    found: Envelope | None = visible_envelopes(account).filter(pk=envelope_id).first()
    if found is None:
        raise EnvelopeNotFoundError
    return found


def is_sender(account: Account, envelope: Envelope) -> bool:
    return (envelope.issuer, envelope.subject) == (account.issuer, account.subject)


def find_own(*, account: Account, envelope_id: uuid.UUID) -> Envelope:
    """One that this account sent. Raises `EnvelopeNotFoundError`."""
    envelope = find_envelope(account=account, envelope_id=envelope_id)
    if not is_sender(account, envelope):
        raise EnvelopeNotFoundError
    return envelope


def find_draft(*, account: Account, envelope_id: uuid.UUID) -> Envelope:
    """Raises `EnvelopeNotFoundError`; `EnvelopeSentError` once it is sent."""
    envelope = find_own(account=account, envelope_id=envelope_id)
    if envelope.state != Envelope.State.DRAFT:
        raise EnvelopeSentError
    return envelope


def find_part(*, account: Account, envelope_id: uuid.UUID, part_id: uuid.UUID) -> EnvelopeDocument:
    """Raises `EnvelopeNotFoundError`."""
    envelope = find_envelope(account=account, envelope_id=envelope_id)
    part = envelope.documents.select_related("current").filter(pk=part_id).first()
    if part is None:
        raise EnvelopeNotFoundError
    return part


def own_recipient(account: Account, envelope: Envelope) -> Recipient | None:
    """This account's part in it, the one to act on first."""
    mine = envelope.recipients.filter(issuer=account.issuer, subject=account.subject, state__in=SEES)
    return min(mine, key=lambda found: found.state != Recipient.State.ACTIVE, default=None)


@contextmanager
def locked(envelope_id: uuid.UUID) -> Iterator[Envelope]:
    """A transaction that holds the envelope. Raises `EnvelopeNotFoundError` if it is gone."""
    with transaction.atomic(using=Envelope.objects.db):
        envelope = Envelope.objects.select_for_update().filter(pk=envelope_id).first()
        if envelope is None:
            raise EnvelopeNotFoundError
        yield envelope


def record(envelope: Envelope, kind: Event.Kind, *, actor: str = "", detail: str = "") -> None:
    """A line in the envelope's trail."""
    Event.objects.create(envelope=envelope, kind=kind, actor=actor[:255], detail=detail[:500])
