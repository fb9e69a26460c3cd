"""Deleting an account of this role. It is asked for, waits some days in which it can be undone, and is then done by a
worker, step by step: each step can be taken again, so one that dies is followed by the next.

The account at the login server is not ours: it stays (docs/decisions/0023-leaving.md).
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from signapp.errors import DocumentBusyError, EnvelopeNotFoundError, EnvelopeOverError, SignappError
from signapp.models import (
    Batch,
    Binned,
    BulkSend,
    Departure,
    Document,
    Envelope,
    Event,
    Login,
    Look,
    Notice,
    Recipient,
    Remains,
)
from signapp.services import documents, exports, looks, readers
from signapp.services.batches.gathering import release_documents
from signapp.services.envelopes import retention, turns
from signapp.services.envelopes.access import locked, record, visible_envelopes
from signapp.services.logins import Account
from signapp.services.mails import Letter, send

log = logging.getLogger(__name__)

GRACE = timedelta(days=14)
_LONGEST_SIGNING = timedelta(hours=1)
_ACTS = (Recipient.State.WAITING, Recipient.State.ACTIVE)


def _own(account: Account | Departure) -> dict[str, str]:
    return {"issuer": account.issuer, "subject": account.subject}


@dataclass(frozen=True)
class Open:
    """Envelopes under way that a deletion would end: those that this account sent, and those that wait for it."""

    sent: list[Envelope]
    asked: list[Envelope]


def list_open(*, account: Account) -> Open:
    under_way = Envelope.objects.filter(state=Envelope.State.SENT).order_by("created")
    sent = under_way.filter(**_own(account))
    asked = under_way.filter(_is_to_act(account)).exclude(pk__in=sent).distinct()
    return Open(list(sent), list(asked))


def _is_to_act(account: Account) -> Q:
    mine = Recipient.objects.filter(**_own(account), state__in=_ACTS).exclude(role=Recipient.Role.COPY)
    return Q(pk__in=mine.values("envelope"))


def find_departure(*, account: Account) -> Departure | None:
    return Departure.objects.filter(**_own(account)).first()


def ask_to_leave(*, account: Account) -> Departure:
    """Again, the day stays the same."""
    due = timezone.now() + GRACE
    known = {"name": account.name, "email": account.email, "due_at": due}
    found, _made = Departure.objects.get_or_create(**_own(account), defaults=known)
    log.info("account %s is to be deleted on %s", account.subject, found.due_at.date())
    return found


def stay(*, account: Account) -> bool:
    """Takes it back; whether there was anything to take back."""
    return int(Departure.objects.filter(**_own(account), due_at__gt=timezone.now()).delete()[0]) > 0


# --- What the worker does -------------------------------------------------------------------------------------------


def tend_departures() -> int:
    """Tells of the day by mail, and deletes what is due; how many accounts."""
    for departure in Departure.objects.filter(told_at=None):
        if Departure.objects.filter(pk=departure.pk, told_at=None).update(told_at=timezone.now()):
            with readers.speaking_to(**_own(departure)):
                _tell(departure)
    gone = 0
    for departure in list(Departure.objects.filter(due_at__lte=timezone.now())):
        try:
            _leave(departure)
        except SignappError as error:
            # Of one account alone, and the others are not kept waiting for it.
            log.warning("account %s is deleted in a later round: %s", departure.subject, error.code)
            continue
        gone += 1
    return gone


def _tell(departure: Departure) -> None:
    if not departure.email:
        return
    day = date_format(departure.due_at, "j F Y")
    letter = Letter(
        subject=_("Your account here will be deleted on %(day)s") % {"day": day},
        name=departure.name,
        before=[
            _(
                "You asked for your account to be deleted. On %(day)s your documents, drafts, templates and signatures"
                " go for good."
            )
            % {"day": day}
        ],
        ask=[_("Until then you can change your mind, and take your things along as one file.")],
        action=_("Keep the account"),
        link=f"{settings.SIGNAPP_URL}{reverse('signapp:leave')}",
        after=[_("If it was not you who asked, log in, keep the account and change your password.")],
    )
    send(letter, to=departure.email)


def _leave(departure: Departure) -> None:
    """Raises `DocumentBusyError` while a signature is made."""
    account = Account(departure.issuer, departure.subject, departure.email, departure.name, is_operator=False)
    Login.objects.filter(**_own(account)).delete()
    _end_open(account)
    # Nobody is logged in any more who could fetch a signature that was made long ago.
    stale = Document.objects.filter(**_own(account), part=None, updated__lt=timezone.now() - _LONGEST_SIGNING)
    stale.filter(state=Document.State.SIGNING).change(state=Document.State.FAILED)
    _end_batches(account)
    for document in Document.objects.filter(**_own(account), part=None).values_list("pk", flat=True):
        documents.delete_document(account=account, document_id=document)
    bulks = BulkSend.objects.filter(**_own(account))
    _let_go(account, bulks.exclude(pattern=None).values_list("pattern", flat=True))
    bulks.delete()
    drafts = Envelope.objects.filter(**_own(account), state__in=(Envelope.State.DRAFT, Envelope.State.TEMPLATE))
    _let_go(account, drafts.values_list("pk", flat=True))
    _let_go(account, visible_envelopes(account).values_list("pk", flat=True))
    for kind in Look.Kind:
        looks.delete_look(account=account, kind=kind)
    exports.delete_export(account=account)
    language = readers.find_language(**_own(account))
    readers.forget(**_own(account))
    departure.delete()
    log.info("account %s was deleted", account.subject)
    if account.email:
        with translation.override(language):
            _say_goodbye(account)


def _end_batches(account: Account) -> None:
    """Nobody approves them any more. Raises `DocumentBusyError` while one is signed."""
    for batch in Batch.objects.filter(**_own(account)):
        if batch.state == Batch.State.SIGNING and batch.updated >= timezone.now() - _LONGEST_SIGNING:
            raise DocumentBusyError
        release_documents(batch)


def _say_goodbye(account: Account) -> None:
    letter = Letter(
        subject=_("Your account here is deleted"),
        name=account.name,
        before=[
            _(
                "Your documents, drafts, templates and signatures are gone. What others sent or signed with you "
                "stays with them. Your login is kept by the login service, which has a page of its own."
            )
        ],
    )
    send(letter, to=account.email)


def _end_open(account: Account) -> None:
    under_way = list_open(account=account)
    for envelope in under_way.sent:
        with suppress(EnvelopeOverError, EnvelopeNotFoundError), locked(envelope.pk) as held:
            turns.end(held, Envelope.State.CANCELLED, reason=_("The sender’s account was deleted."))
            record(held, Event.Kind.CANCELLED, actor=held.sender_name, detail=held.reason)
            turns.tell_everybody(held, Notice.Kind.CANCELLED)
    for envelope in under_way.asked:
        with suppress(EnvelopeOverError, EnvelopeNotFoundError), locked(envelope.pk) as held:
            turns.end(held, Envelope.State.DECLINED, reason=_("The account of somebody who was to act was deleted."))
            mine = held.recipients.filter(**_own(account), state__in=_ACTS)
            mine.change(state=Recipient.State.DECLINED, acted_at=timezone.now())
            record(held, Event.Kind.DECLINED, actor=account.name, detail=held.reason)
            turns.tell_everybody(held, Notice.Kind.DECLINED)


def _let_go(account: Account, envelope_ids: Iterable[object]) -> None:
    """For good: what nobody else has is deleted, and what was never sent nobody else has."""
    for envelope_id in list(envelope_ids):
        with suppress(EnvelopeNotFoundError), locked(envelope_id) as held:  # type: ignore[arg-type]  # a primary key
            if held.sent_at is None:
                retention.remove(held, Remains.Why.ACCOUNT)
                continue
            Binned.objects.update_or_create(
                envelope=held, issuer=account.issuer, subject=account.subject, defaults={"is_final": True}
            )
            retention.remove_if_unseen(held, Remains.Why.ACCOUNT)
