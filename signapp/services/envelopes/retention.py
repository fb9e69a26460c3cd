"""What is kept how long. The bin is emptied, and what has ended is deleted once it is as old as the operator says,
never sooner than a week after everybody who has it was told. Something small remains (`Remains`).

Each step holds the envelope, asks again and commits alone: a worker that dies is followed by another.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from signapp import documents
from signapp.errors import EnvelopeNotFoundError
from signapp.models import Binned, Document, Envelope, Notice, Recipient, Remains, StoredFile
from signapp.models.envelopes import MOST_ATTEMPTS
from signapp.services.envelopes import turns
from signapp.services.envelopes.access import SEES, locked
from signapp.services.envelopes.copying import is_held
from signapp.services.limits import read_limits

log = logging.getLogger(__name__)

WARNING = timedelta(days=7)
ENDED = (Envelope.State.COMPLETED, Envelope.State.DECLINED, Envelope.State.CANCELLED, Envelope.State.EXPIRED)


def tend_retention() -> None:
    """All of it, as beat rings."""
    empty_bins()
    sweep_unseen()
    warn_of_deletion()
    delete_old()


# --- The bin --------------------------------------------------------------------------------------------------------


def empty_bins() -> int:
    """What lies in a bin for longer than it can be put back is not that account's any more; how many."""
    over = {"is_final": False, "binned_at__lte": timezone.now() - timedelta(days=read_limits().bin_days)}
    emptied = 0
    for pk, envelope_id in list(Binned.objects.filter(**over).values_list("pk", "envelope_id")):
        with suppress(EnvelopeNotFoundError), locked(envelope_id) as held:
            if Binned.objects.filter(pk=pk, **over).update(is_final=True):
                emptied += 1
                remove_if_unseen(held, Remains.Why.BIN)
    return emptied


def sweep_unseen() -> int:
    """Envelopes that nobody has any more, the last link to them having run out meanwhile; how many."""
    left = Envelope.objects.filter(binned__is_final=True).exclude(state=Envelope.State.SENT).distinct()
    removed = 0
    for envelope_id in list(left.values_list("pk", flat=True)):
        with suppress(EnvelopeNotFoundError), locked(envelope_id) as held:
            removed += remove_if_unseen(held, Remains.Why.BIN)
    return removed


def remove_if_unseen(held: Envelope, why: Remains.Why) -> bool:
    """Deletes it if every account that had it threw it away for good, no mailed link opens it, and no message
    of it waits to be sent; the caller holds it. Whether it did."""
    if held.state == Envelope.State.SENT or _holders(held) - _gone(held):
        return False
    if _has_open_link(held) or _has_words_to_send(held):
        return False
    remove(held, why)
    return True


def _holders(held: Envelope) -> set[tuple[str, str]]:
    seen = held.recipients.filter(state__in=SEES).exclude(subject="")
    return {(held.issuer, held.subject), *seen.values_list("issuer", "subject")}


def _gone(held: Envelope) -> set[tuple[str, str]]:
    return set(held.binned.filter(is_final=True).values_list("issuer", "subject"))


def _has_open_link(held: Envelope) -> bool:
    waiting = held.recipients.filter(subject="", state__in=SEES)
    open_ones = {"invitations__revoked_at": None, "invitations__expires_at__gt": timezone.now()}
    return held.state == Envelope.State.COMPLETED and waiting.filter(**open_ones).exists()


def _has_words_to_send(held: Envelope) -> bool:
    """How it ended is told first; whoever cannot be reached is not waited for."""
    return held.notices.filter(sent_at=None, attempts__lt=MOST_ATTEMPTS).exists()


# --- Age ------------------------------------------------------------------------------------------------------------


def deletion_date(envelope: Envelope) -> datetime | None:
    """When it will be deleted, once everybody was told; None before."""
    keep_days = read_limits().keep_days
    if not keep_days or envelope.warned_at is None or envelope.ended_at is None:
        return None
    return max(envelope.ended_at + timedelta(days=keep_days), envelope.warned_at + WARNING)


def warn_of_deletion() -> int:
    """Tells everybody who has an envelope that will be deleted in a week, once; how many envelopes. What is to be kept
    longer by now is not to be deleted, and would be told of anew."""
    warned = Envelope.objects.exclude(warned_at=None)
    keep_days = read_limits().keep_days
    if not keep_days:
        warned.update(warned_at=None)
        return 0
    soon = timezone.now() - timedelta(days=keep_days) + WARNING
    warned.filter(ended_at__gt=soon).update(warned_at=None)
    due = {"state__in": ENDED, "ended_at__lte": soon, "warned_at": None}
    told = 0
    for envelope_id in list(Envelope.objects.filter(**due).values_list("pk", flat=True)):
        with suppress(EnvelopeNotFoundError), locked(envelope_id) as held:
            if Envelope.objects.filter(pk=held.pk, **due).change(warned_at=timezone.now()):
                _tell(held)
                told += 1
    return told


def _tell(held: Envelope) -> None:
    gone = set(held.binned.values_list("issuer", "subject"))
    for recipient in held.recipients.filter(state__in=SEES):
        has_it = (recipient.issuer, recipient.subject) not in gone if recipient.subject else False
        if has_it or (not recipient.subject and held.state == Envelope.State.COMPLETED):
            turns.notify(held, Notice.Kind.DELETION, recipient)
    sender = (held.issuer, held.subject)
    if sender not in gone and not held.recipients.filter(issuer=held.issuer, subject=held.subject).exists():
        turns.notify(held, Notice.Kind.DELETION)


def delete_old() -> int:
    """Deletes what is too old and was told of a week ago, whoever has it; how many."""
    keep_days, now = read_limits().keep_days, timezone.now()
    if not keep_days:
        return 0
    old = {
        "state__in": ENDED,
        "ended_at__lte": now - timedelta(days=keep_days),
        "warned_at__lte": now - WARNING,
    }
    deleted = 0
    for envelope_id in list(Envelope.objects.filter(**old).values_list("pk", flat=True)):
        with suppress(EnvelopeNotFoundError), locked(envelope_id) as held:
            if Envelope.objects.filter(pk=held.pk, **old).exists():
                remove(held, Remains.Why.AGE)
                deleted += 1
    return deleted


# --- Deleting, and what remains -----------------------------------------------------------------------------------


def remove(held: Envelope, why: Remains.Why) -> None:
    """The envelope with its people, trail, documents and their keys; the caller holds it. One that was never sent
    leaves nothing."""
    parts = list(held.documents.select_related("original", "current"))
    signed = list(Document.objects.filter(part__in=parts).select_related("original", "signed"))
    _write_down(held, why, parts, signed)
    files = [stored for part in parts for stored in (part.original, part.current)]
    files += [stored for turn in signed for stored in (turn.original, turn.signed)]
    envelope_id = held.pk
    # Copies of an envelope share their originals: of two that go at once the second takes the file along.
    once = [stored.pk for stored in files if stored is not None]
    kept = list(StoredFile.objects.select_for_update().filter(pk__in=once).order_by("pk"))
    held.delete()
    documents.delete_files(stored for stored in kept if not is_held(stored))
    log.info("envelope %s was deleted: %s", envelope_id, why.value)


def _write_down(held: Envelope, why: Remains.Why, parts: list[Any], turns_: list[Document]) -> None:
    if held.sent_at is None:
        return
    people = list(held.recipients.all())
    Remains.objects.create(
        id=held.pk,
        issuer=held.issuer,
        subject=held.subject,
        state=held.state,
        sent_at=held.sent_at,
        ended_at=held.ended_at,
        why=why,
        people=[_describe_person(each) for each in people],
        documents=[
            {
                "pages": part.pages,
                "size": part.size,
                "sha256": part.sha256,
                "last_sha256": part.current.sha256 if part.current else "",
                "signatures": [
                    {
                        "person": next(i for i, each in enumerate(people) if each.pk == turn.recipient_id),
                        "at": _write_time(turn.signed_at),
                        "sha256": turn.signed.sha256,
                    }
                    for turn in turns_
                    if turn.part_id == part.pk and turn.signed is not None
                ],
            }
            for part in parts
        ],
        events=[{"at": _write_time(event.at), "kind": event.kind} for event in held.events.all()],
    )


def _describe_person(each: Recipient) -> dict[str, Any]:
    return {
        "role": each.role,
        "order": each.order,
        "state": each.state,
        "account": each.subject,
        "asked_at": _write_time(each.asked_at),
        "acted_at": _write_time(each.acted_at),
    }


def _write_time(at: datetime | None) -> str:
    return at.isoformat() if at else ""
