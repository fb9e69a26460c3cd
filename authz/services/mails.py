"""What this role writes to people: plain text, about what waits at its own pages. No message decides anything."""

import logging
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from authz.models import AddressChange, Consent, SecurityEvent, User

logger = logging.getLogger(__name__)


def _send(*, subject: str, template: str, context: dict[str, object], user: User | None = None, to: str = "") -> bool:
    """Whether the message was taken. What cannot be sent is logged: everything that it tells of is on the pages too."""
    text = render_to_string(f"authz/mail/{template}.txt", {"user": user, **context})
    try:
        EmailMessage(subject, text, to=[to or (user.email if user else "")]).send()
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


def tell_of_password_link(*, user: User, secret: str, expires: datetime) -> bool:
    """How to set a new password, which the link alone does not do."""
    link = f"{settings.ISSUER}/password/{secret}"
    return _send(
        user=user, subject="Set a new password", template="password", context={"link": link, "expires": expires}
    )


def tell_of_sign_up_link(*, email: str, secret: str, expires: datetime) -> bool:
    """How to go on with a sign-up. To somebody of whom nothing is known: nothing that was typed stands in it."""
    link = f"{settings.ISSUER}/signup/{secret}"
    context: dict[str, object] = {"link": link, "expires": expires, "email": email}
    return _send(subject="Create your account", template="signup", context=context, to=email)


def tell_of_sign_up(*, user: User) -> bool:
    """To somebody who has an account, or whose address somebody else knows: it is there already."""
    link = f"{settings.ISSUER}/login"
    return _send(user=user, subject="You have an account already", template="signup_known", context={"link": link})


def tell_of_address_change(*, user: User, email: str, secret: str, expires: datetime) -> bool:
    """To the new address: how to confirm it."""
    link = f"{settings.ISSUER}/address/change/{secret}"
    context: dict[str, object] = {"link": link, "expires": expires, "email": email}
    return _send(user=user, subject="Confirm your new address", template="address_change", context=context, to=email)


def tell_of_changed_address(*, user: User, change: AddressChange, secret: str, expires: datetime) -> bool:
    """To the old address: what was changed, and the way back."""
    link = f"{settings.ISSUER}/address/undo/{secret}"
    context: dict[str, object] = {"link": link, "expires": expires, "old": change.old_email}
    subject = "Your account has another address"
    return _send(user=user, subject=subject, template="address_changed", context=context, to=change.old_email)


def tell_of_event(*, event: SecurityEvent) -> bool:
    """Something that changes who can get in. Not written to an address that may be a stranger's."""
    if not event.user.is_email_verified:
        return False
    context: dict[str, object] = {"event": event, "link": f"{settings.ISSUER}/sessions"}
    return _send(user=event.user, subject=str(event.get_kind_display()), template="event", context=context)
