"""New passwords: for one that is known, and for one that was forgotten. Neither skips the second factor."""

import logging
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from authz.errors import RequestGoneError, WrongFactorError
from authz.models import PasswordLink, User
from authz.services import browser_sessions, mails, second_factors, throttling
from authz.services.events import Kind, Visitor, record_event
from authz.services.second_factors import VerifiedSecondFactor
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

LINK_LIFETIME = timedelta(minutes=30)


def change_password(*, user: User, current: str, new: str, visitor: Visitor) -> None:
    """In a session that verified both factors just now. Every session and token ends; the caller's is made anew.

    Raises `ThrottledError` or `WrongFactorError`.
    """
    throttling.count_approval(account=user.email)
    if not user.check_password(current):
        raise WrongFactorError("Password or passkey did not fit.")
    _set(user, new, Kind.PASSWORD_CHANGED, visitor)
    throttling.forgive_approval(account=user.email)


def send_link(*, email: str) -> None:
    """Mails a link if there is such an account. Beside the request, so that asking takes as long for every address."""
    email = User.objects.normalize_email(email)
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None or not throttling.may_send_password_link(account=email):
        logger.info("no link to a new password was sent")
        return
    secret, expires = create_secret(), timezone.now() + LINK_LIFETIME
    PasswordLink.objects.create(user=user, email=email, checksum=checksum(secret), expires=expires)
    mails.tell_of_password_link(user=user, secret=secret, expires=expires)


def read_link(*, secret: str) -> PasswordLink:
    """Raises `RequestGoneError` unless it is open, and for the address that the account still has."""
    link = (
        PasswordLink.objects.filter(checksum=checksum(secret), used=None, expires__gt=timezone.now())
        .select_related("user")
        .first()
    )
    if link is None or link.email != link.user.email or not link.user.is_active:
        raise RequestGoneError("This link was used or has expired.")
    return link


def reset_password(*, link: PasswordLink, new: str, verified: VerifiedSecondFactor, visitor: Visitor) -> None:
    """Sets the password by a link and a second factor; the link is used up, and with it every other one.

    Nobody is logged in by it. Raises `RequestGoneError` or `WrongFactorError`.
    """
    if verified.user.pk != link.user_id:
        raise WrongFactorError("Password or passkey did not fit.")
    with transaction.atomic():
        now = timezone.now()
        if not PasswordLink.objects.filter(pk=link.pk, used=None, expires__gt=now).update(used=now):
            raise RequestGoneError("This link was used already.")
        second_factors.use_up(verified=verified, visitor=visitor)
        PasswordLink.objects.filter(user=link.user, used=None).update(used=now)
        _set(link.user, new, Kind.PASSWORD_RESET, visitor)


def _set(user: User, new: str, kind: Kind, visitor: Visitor) -> None:
    with transaction.atomic():
        user.password = make_password(new)
        user.save(update_fields=["password"])
        browser_sessions.end_all_sessions(user=user)
        record_event(user=user, kind=kind, visitor=visitor)
