"""Making accounts and proving who one is: password first, then passkey."""

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from authz.errors import AddressTakenError, RequestGoneError, WrongFactorError
from authz.factors.interface import VerifiedRegistration
from authz.models import OperatorInvitation, Passkey, User
from authz.services import devices, passkeys, sign_up_links, throttling
from authz.services.events import Visitor
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

INVITATION_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class VerifiedLogin:
    """A passkey verified just now; ``amr`` says whether a password was too."""

    user: User
    passkey: Passkey
    amr: tuple[str, ...]


def create_user(
    *, email: str, name: str, password: str | None, is_operator: bool = False, sub: uuid.UUID | None = None
) -> User:
    """A user without a passkey; raises `AddressTakenError`. An operator may do everything in the admin."""
    try:
        with transaction.atomic():
            return User.objects.create_user(
                email,
                password,
                name=name.strip(),
                sub=sub or uuid.uuid4(),
                is_staff=is_operator,
                is_superuser=is_operator,
            )
    except IntegrityError:
        raise AddressTakenError("There is an account with this e-mail address already.") from None


def hash_password(*, password: str) -> str:
    """What a sign-up keeps of the password until the passkey is enrolled."""
    return make_password(password)


def sign_up(
    *,
    sub: uuid.UUID,
    email: str,
    name: str,
    password_hash: str,
    registration: VerifiedRegistration,
    passkey_name: str,
    link_id: int | None = None,
    language: str = "",
) -> tuple[User, Passkey]:
    """Account and first passkey at once: no account exists that could log in without a passkey.

    ``link_id`` is the link that it began at, which is used up (`RequestGoneError`). Whether the address is taken
    (`AddressTakenError`) shows only here: to somebody who reads its mail, or, where no link is needed, after the whole
    ceremony. ``language`` is the one that it is written to in.
    """
    with transaction.atomic():
        user = create_user(email=email, name=name, password=None, sub=sub)
        User.objects.filter(pk=user.pk).update(password=password_hash, language=language)
        user.refresh_from_db()
        if link_id is not None:
            sign_up_links.use_link(link_id=link_id, user=user)
        return user, passkeys.create_passkey(user=user, registration=registration, name=passkey_name)


def verify_password(*, email: str, password: str, visitor: Visitor) -> User:
    """Raises `ThrottledError` or `WrongFactorError`; an unknown account takes as long as a wrong password."""
    email = User.objects.normalize_email(email)
    device = _known_device(email, visitor)
    throttling.count_attempt(account=email, address=visitor.address, device=device)
    user = User.objects.filter(email=email).first()
    if user is None:
        make_password(password)
        raise WrongFactorError("Password or passkey did not fit.")
    if not user.check_password(password) or not user.is_active:
        raise WrongFactorError("Password or passkey did not fit.")
    throttling.forgive_attempt(account=email, address=visitor.address, device=device)
    return user


def _known_device(email: str, visitor: Visitor) -> str:
    """The device's name for the counters, if this account was used there before; asked alike for every address."""
    return checksum(visitor.device) if devices.is_known(email=email, device=visitor.device) else ""


def verify_login(*, user: User, response: str, challenge: bytes, visitor: Visitor) -> VerifiedLogin:
    """The second step; ``challenge`` must be taken from where it was kept before this is called."""
    device = _known_device(user.email, visitor)
    throttling.count_attempt(account=user.email, address=visitor.address, device=device)
    passkey = passkeys.read_passkey(user=user, response=response)
    assertion = passkeys.verify_assertion(passkey=passkey, response=response, challenge=challenge, visitor=visitor)
    passkeys.record_use(passkey=passkey, assertion=assertion)
    throttling.forgive_account(account=user.email, address=visitor.address, device=device)
    logger.info("%s logged in with password and passkey", user.sub)
    return VerifiedLogin(user, passkey, authentication_methods(passkey=passkey))


def verify_passkey_login(*, response: str, challenge: bytes, visitor: Visitor) -> VerifiedLogin:
    """A login by a passkey alone, which names its user and verified him or her. It approves nothing: each approval asks
    for password and passkey. Raises `ThrottledError` or `WrongFactorError`."""
    throttling.count_address_attempt(address=visitor.address)
    passkey = passkeys.find_passkey(response=response)
    assertion = passkeys.verify_assertion(passkey=passkey, response=response, challenge=challenge, visitor=visitor)
    passkeys.record_use(passkey=passkey, assertion=assertion)
    throttling.forgive_address_attempt(address=visitor.address)
    logger.info("%s logged in with a passkey alone", passkey.user.sub)
    methods = authentication_methods(passkey=passkey, with_password=False)
    return VerifiedLogin(passkey.user, passkey, methods)


def authentication_methods(*, passkey: Passkey, with_password: bool = True) -> tuple[str, ...]:
    """``amr`` (RFC 8176) of this passkey, and of a password where one was given.

    A passkey that verified its user is two factors by itself (NIST SP 800-63B, multi-factor cryptographic
    authenticators); it is software-held if it can leave its device.
    """
    held = "swk" if passkey.backup_eligible else "hwk"
    return (*(("pwd",) if with_password else ()), held, "user", "mfa")


def invite_operator(*, email: str, name: str) -> str:
    """A one-time secret with which a new operator sets password and passkey; raises `AddressTakenError`."""
    with transaction.atomic():
        user = create_user(email=email, name=name, password=None, is_operator=True)
        return _invite(user)


def _invite(user: User) -> str:
    secret = create_secret()
    OperatorInvitation.objects.create(
        user=user, checksum=checksum(secret), expires=timezone.now() + INVITATION_LIFETIME
    )
    return secret


def read_invitation(*, secret: str) -> OperatorInvitation:
    """The open invitation; raises `RequestGoneError`."""
    invitation = (
        OperatorInvitation.objects.filter(checksum=checksum(secret), used=None, expires__gt=timezone.now())
        .select_related("user")
        .first()
    )
    if invitation is None or not invitation.user.is_active:
        raise RequestGoneError("This link was used or has expired.")
    return invitation


def accept_invitation(
    *, invitation_id: int, password_hash: str, registration: VerifiedRegistration, passkey_name: str
) -> tuple[User, Passkey]:
    """Sets the operator's password and first passkey; the link works once."""
    with transaction.atomic():
        now = timezone.now()
        waiting = OperatorInvitation.objects.filter(pk=invitation_id, used=None, expires__gt=now)
        if not waiting.update(used=now):
            raise RequestGoneError("This link was used or has expired.")
        invitation = OperatorInvitation.objects.select_related("user").get(pk=invitation_id)
        User.objects.filter(pk=invitation.user_id).update(password=password_hash)
        invitation.user.refresh_from_db()
        return invitation.user, passkeys.create_passkey(
            user=invitation.user, registration=registration, name=passkey_name
        )
