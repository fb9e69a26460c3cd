"""What happened to an account, kept for its owner and mailed where it changes who can get in."""

import logging
from dataclasses import dataclass
from datetime import datetime

from celery import current_app
from django.db import transaction
from django.utils import timezone

from authz.models import SecurityEvent, User
from authz.services import mails

logger = logging.getLogger(__name__)

Kind = SecurityEvent.Kind
MAILED = (
    Kind.NEW_DEVICE,
    Kind.PASSKEY_ADDED,
    Kind.PASSKEY_REMOVED,
    Kind.PASSKEY_SUSPECTED,
    Kind.CODES_MADE,
    Kind.CODE_USED,
    Kind.PASSWORD_CHANGED,
    Kind.PASSWORD_RESET,
    Kind.ADDRESS_RESTORED,
)
_SHOWN = 30
_LOOKED_AT = 1000


@dataclass(frozen=True)
class Visitor:
    """Who asks, as far as a request shows it. ``device`` is the value of the browser's device cookie, or empty."""

    address: str
    browser_name: str = ""
    device: str = ""


def record_event(*, user: User, kind: SecurityEvent.Kind, visitor: Visitor, detail: str = "") -> None:
    """Keeps it, in the caller's transaction if there is one, and rings for the message once it is committed."""
    SecurityEvent.objects.create(
        user=user, kind=kind, detail=detail[:200], browser_name=visitor.browser_name, address=visitor.address
    )
    logger.info("account %s: %s", user.sub, kind.value)
    if kind in MAILED:
        transaction.on_commit(_ring)


def read_latest_moment() -> datetime | None:
    """The latest that any of the newest events was written at: time was as late as that once."""
    return max(SecurityEvent.objects.order_by("-pk").values_list("happened", flat=True)[:_LOOKED_AT], default=None)


def _ring() -> None:
    """Asks a worker to write; never fails. Events that nobody was told of yet are the truth, and a sweep finds them."""
    try:
        current_app.send_task("authz.tell_of_events", retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, the sweep rings again)
        logger.warning("security events could not be announced: %s", type(error).__name__)


def tell_of_events() -> int:
    """Mails each event that wants it to its owner, once; returns how many."""
    count = 0
    waiting = SecurityEvent.objects.filter(told=None, kind__in=MAILED).select_related("user").order_by("pk")
    for event in waiting[:200]:
        # Taken before it is sent: two workers write one message, and one that cannot be sent is on the page anyway.
        if SecurityEvent.objects.filter(pk=event.pk, told=None).update(told=timezone.now()):
            mails.tell_of_event(event=event)
            count += 1
    return count


def list_events(*, user: User) -> list[SecurityEvent]:
    """The latest ones, newest first."""
    return list(SecurityEvent.objects.filter(user=user)[:_SHOWN])
