"""Messages: queued with what they tell of, in its transaction, and sent afterwards by a worker. One that could not be
sent is tried again; everything that it tells of stands on the pages too."""

import logging
from contextlib import suppress
from datetime import timedelta
from smtplib import SMTPException

from celery import current_app
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.filebased import EmailBackend as FileBackend
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from signapp.models import Envelope, Event, Notice, Recipient
from signapp.models.envelopes import MOST_ATTEMPTS
from signapp.services.envelopes.access import record
from signapp.services.envelopes.invitations import create_invitation
from signapp.services.envelopes.retention import deletion_date
from signapp.services.mails import Letter, send
from signapp.services.readers import speaking_to

log = logging.getLogger(__name__)

_ALONE = gettext_lazy(
    "The link is for you alone and opens only for the account of this address. If you expected nothing, do nothing."
)
_ASKS = (Notice.Kind.INVITATION, Notice.Kind.REMINDER)


def ring() -> None:
    """Asks a worker to send what is due; never fails, beat rings too."""
    try:
        current_app.send_task("signapp.send_notices", retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, beat rings again)
        log.warning("the worker could not be rung: %s", type(error).__name__)


def send_notices() -> int:
    """Sends what is due; how many."""
    now = timezone.now()
    due = Notice.objects.filter(sent_at=None, due_at__lte=now, attempts__lt=MOST_ATTEMPTS)
    sent = 0
    connection = _connect()
    for notice in due.select_related("envelope", "recipient").order_by("pk"):
        # Whoever moves the time on sends it: two workers never both.
        later = now + timedelta(minutes=2 ** min(notice.attempts, 6))
        mine = Notice.objects.filter(pk=notice.pk, sent_at=None, attempts=notice.attempts)
        if mine.update(due_at=later, attempts=notice.attempts + 1) and _send(notice, connection):
            Notice.objects.filter(pk=notice.pk).update(sent_at=timezone.now())
            sent += 1
    if connection is not None:
        connection.close()
    return sent


def _connect() -> BaseEmailBackend | None:
    """One connection for all of them; none to a folder, which gets a file for each connection. Whoever cannot be
    reached now is written to later."""
    connection = get_connection()
    if isinstance(connection, FileBackend):
        return None
    with suppress(OSError, SMTPException):
        connection.open()
    return connection


def _send(notice: Notice, connection: BaseEmailBackend | None) -> bool:
    if not _still_true(notice):
        return True
    # Of somebody who has no account yet nothing is known but who writes to them.
    recipient = notice.recipient
    reader = recipient if recipient is not None and recipient.subject else notice.envelope
    with speaking_to(issuer=reader.issuer, subject=reader.subject):
        return _write(notice, connection)


def _write(notice: Notice, connection: BaseEmailBackend | None) -> bool:
    envelope, recipient = notice.envelope, notice.recipient
    subject, action = _words(notice)
    link = _link(notice)
    letter = Letter(
        subject=subject,
        name=recipient.name if recipient else envelope.sender_name,
        before=[subject],
        quotes=[words for words in (envelope.message, envelope.reason) if words],
        action=action,
        link=link,
        after=[_ALONE] if link else [],
    )
    to = recipient.email if recipient else envelope.sender_email
    if not send(letter, to=to, reply_to=envelope.sender_email if recipient else "", connection=connection):
        return False
    record(envelope, Event.Kind.MAILED, detail=recipient.name if recipient else envelope.sender_name)
    return True


def _still_true(notice: Notice) -> bool:
    """Nobody is asked for what is over by now, or warned of what is kept after all."""
    if notice.kind == Notice.Kind.DELETION and deletion_date(notice.envelope) is None:
        return False
    active = notice.recipient is not None and notice.recipient.state == Recipient.State.ACTIVE
    return notice.kind not in _ASKS or (active and notice.envelope.state == Envelope.State.SENT)


def _link(notice: Notice) -> str:
    recipient = notice.recipient
    if recipient is None or recipient.subject:
        path = reverse("signapp:envelope", args=[notice.envelope_id])
    elif notice.kind in (*_ASKS, Notice.Kind.COMPLETED, Notice.Kind.DELETION):
        path = reverse("signapp:invitation", args=[create_invitation(recipient)])
    else:
        return ""
    return f"{settings.SIGNAPP_URL}{path}"


def _words(notice: Notice) -> tuple[str, str]:
    """The subject, which is the sentence too, and what the link is called."""
    envelope, recipient = notice.envelope, notice.recipient
    deletion = deletion_date(envelope)
    day = date_format(deletion, "j F Y") if deletion else ""
    names = {"sender": envelope.sender_name, "title": envelope.title, "day": day}
    approves = recipient is not None and recipient.role == Recipient.Role.APPROVER
    asked = (
        _("%(sender)s asks you to approve “%(title)s”.") if approves else _("%(sender)s asks you to sign “%(title)s”.")
    )
    act = _("Read and approve") if approves else _("Read and sign")
    words = {
        Notice.Kind.INVITATION: (asked, act),
        Notice.Kind.REMINDER: (_("A reminder: ") + asked, act),
        Notice.Kind.COMPLETED: (_("“%(title)s” is complete: everybody has signed."), _("Download the documents")),
        Notice.Kind.DECLINED: (_("“%(title)s” was declined, so it has ended."), _("See what happened")),
        Notice.Kind.CANCELLED: (_("%(sender)s cancelled “%(title)s”."), _("See what happened")),
        Notice.Kind.DELEGATED: (
            _("Somebody whom you asked to act in “%(title)s” handed their place to another person."),
            _("See what happened"),
        ),
        Notice.Kind.DELETION: (
            _("“%(title)s” will be deleted here on %(day)s. Download what you want to keep."),
            _("Download the documents"),
        ),
        Notice.Kind.EXPIRED: (_("“%(title)s” has expired: not everybody signed in time."), _("See what happened")),
    }
    sentence, action = words[Notice.Kind(notice.kind)]
    return sentence % names, action
