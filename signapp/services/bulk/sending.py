"""From a checked list to envelopes. A row and its envelope are one transaction: a worker that is killed leaves the row
either sent or not, and whoever goes on sends only what is not."""

import logging
import uuid
from datetime import date, timedelta
from typing import IO, Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from signapp.errors import (
    BulkNotFoundError,
    EnvelopeIncompleteError,
    SignappError,
    WrongBulkStateError,
)
from signapp.models import BulkRow, BulkSend, Envelope, Recipient
from signapp.services.bulk.reading import PeopleList, read_people
from signapp.services.envelopes import drafts, notices
from signapp.services.envelopes.access import find_draft, locked
from signapp.services.envelopes.copying import copy_draft, release_file
from signapp.services.logins import Account

log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=60)
# Rows that a task sends before it lets other tasks have the worker.
_CHUNK = 200
_RENEW_EVERY = 20


def check_list(
    *,
    account: Account,
    envelope_id: uuid.UUID,
    file: IO[bytes],
    file_name: str,
    place: uuid.UUID | None,
    title: str,
    message: str,
    due_on: date | None,
    may_delegate: bool,
) -> tuple[PeopleList, BulkSend | None]:
    """What the list says, and what can be sent: none while there are problems. ``place`` is the draft's person in
    whose place each row's comes; without one each row's person signs first.

    Raises `EnvelopeNotFoundError`, `EnvelopeSentError`, `EnvelopeIncompleteError` without a document.
    """
    draft = find_draft(account=account, envelope_id=envelope_id)
    if not draft.documents.exists():
        raise EnvelopeIncompleteError
    others = draft.recipients.exclude(pk=place) if place else draft.recipients.all()
    found = read_people(file, most=settings.BULK_ROWS, taken=set(others.values_list("email", flat=True)))
    if found.problems:
        return found, None
    words = {"title": title, "message": message, "due_on": due_on, "may_delegate": may_delegate}
    with locked(draft.pk) as held:
        pattern, people = copy_draft(held, issuer="", subject="")
        placeholder = people.get(place) if place else None
        if placeholder is None:
            placeholder = Recipient.objects.create(envelope=pattern, name="-", email="placeholder@invalid.invalid")
        bulk = BulkSend.objects.create(
            issuer=account.issuer,
            subject=account.subject,
            sender_name=account.name,
            sender_email=account.email,
            pattern=pattern,
            placeholder=placeholder,
            file_name=file_name[:255],
            ignored=", ".join(found.ignored)[:500],
            **words,
        )
        rows = [
            BulkRow(bulk=bulk, line=row.line, name=row.name, email=row.email, title=row.title, message=row.message)
            for row in found.rows
        ]
        BulkRow.objects.bulk_create(rows, batch_size=500)
    return found, bulk


def find_bulk(*, account: Account, bulk_id: uuid.UUID) -> BulkSend:
    """Raises `BulkNotFoundError` if there is none or it is somebody else's."""
    found: BulkSend | None = BulkSend.objects.filter(pk=bulk_id, issuer=account.issuer, subject=account.subject).first()
    if found is None:
        raise BulkNotFoundError
    return found


def list_bulks(*, account: Account) -> list[BulkSend]:
    """The newest hundred, each with how many rows it has and how many were sent."""
    own = BulkSend.objects.filter(issuer=account.issuer, subject=account.subject)
    sent = Count("rows", filter=Q(rows__state=BulkRow.State.SENT))
    return list(own.annotate(row_count=Count("rows"), sent_count=sent).order_by("-created")[:100])


def count_rows(bulk: BulkSend) -> dict[str, int]:
    """How many in each of `BulkRow.State`."""
    counts = dict.fromkeys(BulkRow.State.values, 0)
    counts.update(dict(bulk.rows.order_by().values_list("state").annotate(Count("pk"))))
    return counts


def start(*, account: Account, bulk_id: uuid.UUID) -> None:
    """Raises `WrongBulkStateError` unless it is checked and not begun."""
    find_bulk(account=account, bulk_id=bulk_id)
    checked = BulkSend.objects.filter(pk=bulk_id, state=BulkSend.State.CHECKED)
    if not checked.change(state=BulkSend.State.SENDING, started_at=timezone.now()):
        raise WrongBulkStateError
    ring(bulk_id)


def stop(*, account: Account, bulk_id: uuid.UUID) -> None:
    """What is sent stays sent; the rest is not sent any more. Raises `WrongBulkStateError` once it is over."""
    find_bulk(account=account, bulk_id=bulk_id)
    with transaction.atomic(using=BulkSend.objects.db):
        going = BulkSend.objects.filter(pk=bulk_id, state__in=(BulkSend.State.CHECKED, BulkSend.State.SENDING))
        if not going.change(state=BulkSend.State.STOPPED, ended_at=timezone.now()):
            raise WrongBulkStateError
    drop_pattern(bulk_id)


def ring(bulk_id: uuid.UUID) -> None:
    """Asks a worker to go on; never fails, beat rings too."""
    try:
        current_app.send_task("signapp.send_bulk", args=[str(bulk_id)], retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, beat rings again)
        log.warning("the worker could not be rung: %s", type(error).__name__)


def waiting_bulks() -> list[uuid.UUID]:
    """Those that nobody is at."""
    free = Q(lease_until=None) | Q(lease_until__lte=timezone.now())
    return list(BulkSend.objects.filter(free, state=BulkSend.State.SENDING).values_list("pk", flat=True))


def go_on(bulk_id: uuid.UUID, *, most: int = _CHUNK) -> bool:
    """Sends at most so many rows; whether some are left to send. Does nothing while another worker is at it."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    if not BulkSend.objects.filter(free, pk=bulk_id, state=BulkSend.State.SENDING).change(lease_until=now + _LEASE):
        return False
    bulk = BulkSend.objects.select_related("pattern", "placeholder").get(pk=bulk_id)
    lines = list(bulk.rows.filter(state=BulkRow.State.WAITING).values_list("pk", flat=True)[:most])
    for number, row_id in enumerate(lines):
        if number % _RENEW_EVERY == 0:
            mine = BulkSend.objects.filter(pk=bulk_id, state=BulkSend.State.SENDING)
            if not mine.change(lease_until=timezone.now() + _LEASE):
                return False
        _send_row(bulk, row_id)
    is_left: bool = bulk.rows.filter(state=BulkRow.State.WAITING).exists()
    going = BulkSend.objects.filter(pk=bulk_id, state=BulkSend.State.SENDING)
    if is_left:
        going.change(lease_until=None)
    elif going.change(state=BulkSend.State.DONE, ended_at=timezone.now(), lease_until=None):
        drop_pattern(bulk_id)
    notices.ring()
    return is_left


def _send_row(bulk: BulkSend, row_id: int) -> None:
    waiting = BulkRow.objects.filter(pk=row_id, state=BulkRow.State.WAITING)
    try:
        with transaction.atomic(using=BulkRow.objects.db):
            # Stopped in between, or sent by another worker: then there is nothing to do.
            going = BulkSend.objects.select_for_update().filter(pk=bulk.pk, state=BulkSend.State.SENDING)
            if not going.exists() or not waiting.change(state=BulkRow.State.SENT):
                return
            row = BulkRow.objects.get(pk=row_id)
            row.envelope = _make_envelope(bulk, row)
            row.save(update_fields=["envelope"])
    except SignappError as error:
        waiting.change(state=BulkRow.State.FAILED, error_code=error.code)


def _make_envelope(bulk: BulkSend, row: BulkRow) -> Envelope:
    if bulk.pattern is None or bulk.placeholder is None:
        raise EnvelopeIncompleteError
    account = Account(bulk.issuer, bulk.subject, bulk.sender_email, bulk.sender_name, is_operator=False)
    owner: dict[str, Any] = {"issuer": account.issuer, "subject": account.subject}
    envelope, people = copy_draft(bulk.pattern, **owner)
    person = people[bulk.placeholder.pk]
    person.name, person.email = row.name, row.email
    person.save()
    return drafts.send_envelope(
        account=account,
        envelope_id=envelope.pk,
        title=row.title or bulk.title,
        message=row.message or bulk.message,
        due_on=bulk.due_on,
        may_delegate=bulk.may_delegate,
        now=timezone.now(),
    )


def drop_pattern(bulk_id: uuid.UUID) -> None:
    """Once nothing more is sent: the copy of the draft, and its files where nobody else holds them."""
    pattern = Envelope.objects.filter(pk__in=BulkSend.objects.filter(pk=bulk_id).values("pattern")).first()
    if pattern is None:
        return
    files = [part.original for part in pattern.documents.select_related("original")]
    pattern.delete()
    for stored in files:
        release_file(stored)
