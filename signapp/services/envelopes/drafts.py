"""An envelope before it is sent: its documents, its people, its words."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import IO

from django.db.models import Max

from signapp import documents
from signapp.errors import EnvelopeFullError, EnvelopeIncompleteError, EnvelopeSentError, RecipientTwiceError
from signapp.models import Envelope, EnvelopeDocument, Event, Recipient
from signapp.services.documents import keep_upload
from signapp.services.envelopes import turns
from signapp.services.envelopes.access import find_draft, locked, record
from signapp.services.envelopes.copying import release_file
from signapp.services.limits import read_limits
from signapp.services.logins import Account
from signapp.wire import clean_file_name


def create_draft(*, account: Account, title: str) -> Envelope:
    created: Envelope = Envelope.objects.create(
        issuer=account.issuer,
        subject=account.subject,
        sender_name=account.name,
        sender_email=account.email,
        title=title,
    )
    return created


def add_document(
    *,
    account: Account,
    token: str,
    envelope_id: uuid.UUID,
    upload: IO[bytes],
    name: str,
    size: int | None = None,
    password: str = "",
    repair: bool = False,
) -> EnvelopeDocument:
    """Raises what `services.documents.add_document` raises, `EnvelopeFullError`, `EnvelopeSentError`; then nothing of
    the file is kept."""
    envelope = find_draft(account=account, envelope_id=envelope_id)
    if envelope.documents.count() >= read_limits().envelope_documents:
        raise EnvelopeFullError
    facts, stored = keep_upload(token=token, upload=upload, size=size, password=password, repair=repair)
    try:
        with locked(envelope_id) as held:
            if held.state != Envelope.State.DRAFT:
                raise EnvelopeSentError  # noqa: TRY301  (undone like every other failure)
            last = held.documents.aggregate(last=Max("position"))["last"] or 0
            return EnvelopeDocument.objects.create(
                envelope=held,
                position=last + 1,
                name=clean_file_name(name),
                size=facts.size,
                pages=facts.pages,
                sha256=facts.sha256,
                signatures=facts.signatures,
                encryption=facts.encryption,
                repairs=",".join(facts.repairs),
                page_sizes=facts.page_sizes,
                original=stored,
                current=stored,
            )
    except BaseException:
        documents.delete_file(stored)
        raise


def remove_document(*, account: Account, envelope_id: uuid.UUID, part_id: uuid.UUID) -> None:
    """One that is not there any more is no fault. Raises `EnvelopeSentError`."""
    find_draft(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state != Envelope.State.DRAFT:
            raise EnvelopeSentError
        part = held.documents.select_related("original").filter(pk=part_id).first()
        if part is not None:
            part.delete()
    release_file(part.original if part else None)


def add_recipient(
    *, account: Account, envelope_id: uuid.UUID, name: str, email: str, role: str, order: int
) -> Recipient:
    """Raises `RecipientTwiceError`, `EnvelopeFullError`, `EnvelopeSentError`."""
    find_draft(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state != Envelope.State.DRAFT:
            raise EnvelopeSentError
        if held.recipients.filter(email__iexact=email).exists():
            raise RecipientTwiceError
        if held.recipients.count() >= read_limits().envelope_recipients:
            raise EnvelopeFullError
        return Recipient.objects.create(envelope=held, name=name, email=email, role=role, order=order)


def remove_recipient(*, account: Account, envelope_id: uuid.UUID, recipient_id: uuid.UUID) -> None:
    """Likewise."""
    find_draft(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state != Envelope.State.DRAFT:
            raise EnvelopeSentError
        held.recipients.filter(pk=recipient_id).delete()


def send_envelope(
    *,
    account: Account,
    envelope_id: uuid.UUID,
    title: str,
    message: str,
    due_on: date | None,
    now: datetime,
    may_delegate: bool = False,
) -> Envelope:
    """From here on documents and people are fixed. Raises `EnvelopeIncompleteError`, `EnvelopeSentError`."""
    find_draft(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state != Envelope.State.DRAFT:
            raise EnvelopeSentError
        acts = held.recipients.exclude(role=Recipient.Role.COPY)
        if not held.documents.exists() or not acts.exists():
            raise EnvelopeIncompleteError
        held.title, held.message, held.due_on = title, message, due_on
        held.may_delegate = may_delegate
        held.state, held.sent_at = Envelope.State.SENT, now
        held.expires_at = now + timedelta(days=read_limits().envelope_expiry_days)
        if due_on:
            # Somebody who is a little late can still sign.
            end = datetime.combine(due_on, time.max, tzinfo=UTC)
            held.expires_at = max(held.expires_at, end)
        held.save()
        # The sender's own address needs no link: this session is that account's.
        held.recipients.filter(email__iexact=account.email).change(issuer=account.issuer, subject=account.subject)
        record(held, Event.Kind.SENT, actor=account.name)
        turns.advance(held)
        return held


def delete_draft(*, account: Account, envelope_id: uuid.UUID) -> None:
    """Raises `EnvelopeSentError`."""
    find_draft(account=account, envelope_id=envelope_id)
    with locked(envelope_id) as held:
        if held.state != Envelope.State.DRAFT:
            raise EnvelopeSentError
        files = [part.original for part in held.documents.select_related("original")]
        held.delete()
    for stored in files:
        release_file(stored)
