"""Another e-mail address for an account: confirmed by a link to the new one, undone for some days by one to the old.

The link to the new address counts in a session with both factors of the account; the link to the old one counts with a
second factor of the account beside it, since whoever reads an old mailbox is not thereby the account's holder.
"""

import logging
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from authz.errors import RequestGoneError, WrongFactorError
from authz.models import AddressChange, PasswordLink, User
from authz.services import browser_sessions, mails, second_factors, throttling
from authz.services.events import Kind, Visitor, record_event
from authz.services.second_factors import VerifiedSecondFactor
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

LINK_LIFETIME = timedelta(hours=24)
UNDO_LIFETIME = timedelta(days=7)


def ask_for_change(*, user: User, email: str, password: str) -> None:
    """Mails the new address a link. The answer is the same whether another account has that address already.

    Raises `ThrottledError` or `WrongFactorError`.
    """
    throttling.count_approval(account=user.email)
    if not user.check_password(password):
        raise WrongFactorError("Password or passkey did not fit.")
    throttling.forgive_approval(account=user.email)
    throttling.count_address_link(account=str(user.sub))
    email = User.objects.normalize_email(email)
    secret, expires = create_secret(), timezone.now() + LINK_LIFETIME
    AddressChange.objects.create(
        user=user,
        old_email=user.email,
        new_email=email,
        was_verified=user.is_email_verified,
        checksum=checksum(secret),
        expires=expires,
    )
    mails.tell_of_address_change(user=user, email=email, secret=secret, expires=expires)


def read_change(*, user: User, secret: str) -> AddressChange:
    """The change that waits for this link, of this user and from the address as it still is; `RequestGoneError`."""
    change = AddressChange.objects.filter(
        checksum=checksum(secret), user=user, old_email=user.email, confirmed=None, expires__gt=timezone.now()
    ).first()
    if change is None:
        raise RequestGoneError("This link was used, has expired or is another account's.")
    return change


def confirm_change(*, user: User, secret: str, visitor: Visitor) -> None:
    """The account has the new address, verified, and the old one gets a notice with the way back.

    Raises `RequestGoneError`.
    """
    change = read_change(user=user, secret=secret)
    undo, now = create_secret(), timezone.now()
    try:
        with transaction.atomic():
            waiting = AddressChange.objects.filter(pk=change.pk, confirmed=None, expires__gt=now)
            if not waiting.update(confirmed=now, undo_checksum=checksum(undo), undo_expires=now + UNDO_LIFETIME):
                raise RequestGoneError("This link was used already.")
            _move(user, change.old_email, change.new_email, is_verified=True)
            record_event(user=user, kind=Kind.ADDRESS_CHANGED, visitor=visitor, detail=change.new_email)
    except IntegrityError:
        raise RequestGoneError("The address cannot be had.") from None
    user.refresh_from_db(fields=["email", "verified_email"])
    mails.tell_of_changed_address(user=user, change=change, secret=undo, expires=now + UNDO_LIFETIME)


def read_undo(*, secret: str) -> AddressChange:
    """A change that can be undone by this link; raises `RequestGoneError`."""
    change = (
        AddressChange.objects.filter(undo_checksum=checksum(secret), undone=None, undo_expires__gt=timezone.now())
        .exclude(confirmed=None)
        .select_related("user")
        .first()
    )
    if change is None or not change.user.is_active:
        raise RequestGoneError("This link was used or has expired.")
    return change


def undo_change(*, change: AddressChange, verified: VerifiedSecondFactor, visitor: Visitor) -> None:
    """The old address again, as verified as it was, and every session over. Raises `RequestGoneError` (also where the
    account moved on to a third address, or somebody else has the old one by now) or `WrongFactorError`."""
    if verified.user.pk != change.user_id:
        raise WrongFactorError("Password or passkey did not fit.")
    now = timezone.now()
    try:
        with transaction.atomic():
            if not AddressChange.objects.filter(pk=change.pk, undone=None, undo_expires__gt=now).update(undone=now):
                raise RequestGoneError("This link was used already.")
            second_factors.use_up(verified=verified, visitor=visitor)
            _move(change.user, change.new_email, change.old_email, is_verified=change.was_verified)
            browser_sessions.end_all_sessions(user=change.user)
            record_event(user=change.user, kind=Kind.ADDRESS_RESTORED, visitor=visitor, detail=change.old_email)
    except IntegrityError:
        raise RequestGoneError("The address cannot be had.") from None


def _move(user: User, old: str, new: str, *, is_verified: bool) -> None:
    verified = new if is_verified else ""
    if not User.objects.filter(pk=user.pk, email=old).update(email=new, verified_email=verified):
        raise RequestGoneError("The account has another address by now.")
    # What was sent to the address before opens nothing any more.
    PasswordLink.objects.filter(user=user, used=None).update(used=timezone.now())
