"""What the clock does: expiry, reminders, and fetching signatures whose signer has closed the page."""

import logging
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from signapp.documents import decrypt_text
from signapp.errors import DocumentBusyError, EnvelopeNotFoundError, EnvelopeOverError, SignappError
from signapp.models import Document, Envelope, Event, Login, Notice, Recipient
from signapp.services import renewing, signing
from signapp.services.envelopes import answers, turns
from signapp.services.envelopes.access import locked, record
from signapp.services.limits import read_limits
from signapp.services.logins import Account

log = logging.getLogger(__name__)

_LEFT_ALONE = timedelta(seconds=20)


def tend_envelopes() -> None:
    """Expires what is too old and reminds those who were silent for the reminder's days."""
    now, silent_for = timezone.now(), timedelta(days=read_limits().reminder_days)
    silent = now - silent_for
    unanswered = Recipient.objects.filter(
        Q(reminded_at=None) | Q(reminded_at__lte=silent),
        envelope=OuterRef("pk"),
        state=Recipient.State.ACTIVE,
        asked_at__lte=silent,
    )
    due = Envelope.objects.filter(Q(expires_at__lte=now) | Exists(unanswered), state=Envelope.State.SENT)
    for envelope_id in list(due.values_list("pk", flat=True)):
        try:
            with locked(envelope_id) as held:
                if held.expires_at is not None and held.expires_at <= timezone.now():
                    turns.end(held, Envelope.State.EXPIRED)
                    record(held, Event.Kind.EXPIRED)
                    turns.tell_everybody(held, Notice.Kind.EXPIRED)
                elif held.state == Envelope.State.SENT:
                    answers.remind_those(held, silent_for=silent_for)
        except (EnvelopeOverError, EnvelopeNotFoundError, DocumentBusyError):
            continue


def follow_signatures() -> None:
    """So that the next signer need not wait until the last one opens a page again, or for an approval that came to
    nothing."""
    moving = Document.objects.filter(
        state=Document.State.SIGNING, updated__lt=timezone.now() - _LEFT_ALONE, part__isnull=False
    )
    follow = [(document, signing.refresh_document) for document in moving]
    for document, ask in [*follow, *((document, signing.settle_approval) for document in turns.list_unsettled())]:
        login = Login.objects.filter(
            issuer=document.issuer, subject=document.subject, expires_at__gt=timezone.now()
        ).first()
        if login is None:
            continue
        try:
            login = renewing.renew(login)
            account = Account(login.issuer, login.subject, login.email, login.name, login.is_operator)
            token = decrypt_text(login.access_token)
            ask(account=account, token=token, document_id=document.pk)
        except SignappError as error:
            log.warning("document %s could not be followed: %s", document.pk, error.code)
