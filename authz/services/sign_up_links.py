"""Sign-ups that begin at a link in a mail, so that nobody learns here whose address has an account already: its owner
alone is told, by mail. Who comes by the link reads the address's mail, so the address is verified with it.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from authz.errors import RequestGoneError
from authz.models import SignUpLink, User
from authz.services import mails, throttling
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

LINK_LIFETIME = timedelta(hours=1)


def send_link(*, email: str, next_path: str, browser: str, language: str) -> None:
    """Mails a link to a sign-up, or to the login where there is an account. Beside the request, so that asking takes as
    long for every address; ``browser`` is the checksum of the binding of the one that asked, and
    ``language`` the one that it showed."""
    email = User.objects.normalize_email(email)
    if not throttling.may_send_sign_up_link(email=email):
        logger.info("no link to a sign-up was sent")
        return
    user = User.objects.filter(email=email).first()
    if user is not None:
        if user.is_active:
            mails.tell_of_sign_up(user=user)
        return
    secret, expires = create_secret(), timezone.now() + LINK_LIFETIME
    SignUpLink.objects.create(
        email=email, checksum=checksum(secret), next=next_path[:2000], browser=browser, expires=expires
    )
    mails.tell_of_sign_up_link(email=email, secret=secret, expires=expires, language=language)


def read_link(*, secret: str) -> SignUpLink:
    """Raises `RequestGoneError` unless it is open."""
    link = SignUpLink.objects.filter(checksum=checksum(secret), used=None, expires__gt=timezone.now()).first()
    if link is None:
        raise RequestGoneError("This link was used or has expired.")
    return link


def use_link(*, link_id: int, user: User) -> None:
    """In the transaction that makes the account: uses the link up, and the address is verified by it. Raises
    `RequestGoneError`."""
    now = timezone.now()
    link = SignUpLink.objects.filter(pk=link_id, used=None, expires__gt=now, email=user.email)
    if not link.update(used=now):
        raise RequestGoneError("This link was used or has expired.")
    User.objects.filter(pk=user.pk).update(verified_email=user.email)
    user.refresh_from_db(fields=["verified_email"])


def is_needed() -> bool:
    """Whether a sign-up begins at a link here."""
    return bool(settings.SIGN_UP_BY_LINK)
