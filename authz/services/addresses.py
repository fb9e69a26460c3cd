"""Whether an account's e-mail address is its holder's: a link that was mailed there, opened by whoever is logged in.

The link alone proves nothing: somebody may have signed up with another's address, whose owner (or whose mail filter)
opens every link. So it counts in a session with both factors of that very account, and after a button was pressed.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from authz.errors import RequestGoneError, ThrottledError
from authz.models import AddressLink, User
from authz.services import mails, throttling
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

LINK_LIFETIME = timedelta(hours=24)


def send_link(*, user: User) -> None:
    """Mails a link that works once, for the address as it is now; raises `ThrottledError`."""
    throttling.count_address_link(account=str(user.sub))
    secret = create_secret()
    expires = timezone.now() + LINK_LIFETIME
    AddressLink.objects.create(user=user, email=user.email, checksum=checksum(secret), expires=expires)
    mails.tell_of_link(user=user, secret=secret, expires=expires)


def send_first_link(*, user: User) -> None:
    """After a sign-up, which succeeds whatever becomes of the message."""
    try:
        send_link(user=user)
    except ThrottledError:
        logger.warning("no link was sent to %s", user.sub)


def read_link(*, user: User, secret: str) -> AddressLink:
    """Raises `RequestGoneError` unless it is open, this user's, and for the address that the account still has."""
    link = AddressLink.objects.filter(
        checksum=checksum(secret), user=user, email=user.email, used=None, expires__gt=timezone.now()
    ).first()
    if link is None:
        raise RequestGoneError("This link was used, has expired or is another account's.")
    return link


def verify_address(*, user: User, secret: str) -> None:
    """Uses the link up, and with it every other one for this address; raises `RequestGoneError`."""
    link = read_link(user=user, secret=secret)
    with transaction.atomic():
        now = timezone.now()
        if not AddressLink.objects.filter(pk=link.pk, used=None, expires__gt=now).update(used=now):
            raise RequestGoneError("This link was used already.")
        if not User.objects.filter(pk=user.pk, email=link.email).update(verified_email=link.email):
            raise RequestGoneError("The account has another address by now.")
        AddressLink.objects.filter(user=user, used=None).update(used=now)
    logger.info("%s verified the account's e-mail address", user.sub)


def trust_address(*, user: User) -> None:
    """Takes the address as verified on an operator's word; for demonstration data, whose mail nobody reads."""
    User.objects.filter(pk=user.pk).update(verified_email=user.email)
    user.refresh_from_db(fields=["verified_email"])
