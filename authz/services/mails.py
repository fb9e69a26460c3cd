"""What this role writes to people: plain text, about what waits at its own pages. No message decides anything."""

import logging
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from authz.models import Consent, User

logger = logging.getLogger(__name__)


def _send(*, user: User, subject: str, template: str, context: dict[str, object]) -> bool:
    """Whether the message was taken. What cannot be sent is logged: everything that it tells of is on the pages too."""
    text = render_to_string(f"authz/mail/{template}.txt", {"user": user, **context})
    try:
        EmailMessage(subject, text, to=[user.email]).send()
    except (OSError, SMTPException) as error:
        logger.error("the message %r was not sent: %s", template, type(error).__name__)
        return False
    return True


def tell_of_link(*, user: User, secret: str, expires: datetime) -> bool:
    """How to confirm an address."""
    link = f"{settings.ISSUER}/address/{secret}"
    return _send(
        user=user, subject="Confirm your address", template="address", context={"link": link, "expires": expires}
    )


def tell_of_request(*, consent: Consent) -> bool:
    """An approval waits: who asks, and where to read what it is. Documents are named on the page alone, and nothing is
    written to an address that may be a stranger's."""
    if consent.user is None or not consent.user.is_email_verified:
        return False
    return _send(
        user=consent.user,
        subject="An approval waits for you",
        template="approval",
        context={
            "client": consent.backchannel.on_behalf_of.name,
            "link": f"{settings.ISSUER}/approvals/{consent.pk}",
            "expires": consent.expires,
        },
    )
