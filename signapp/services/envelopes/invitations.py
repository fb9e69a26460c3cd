"""Mailed links. A link opens for one account alone: that of the invited address, once it is shown to be its own
(docs/decisions/0009-links-count-with-the-account.md); from then on it is that account's."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from signapp.errors import (
    InvitationAddresslessError,
    InvitationElsewhereError,
    InvitationError,
    InvitationExpiredError,
    InvitationOverError,
    InvitationUnverifiedError,
    InvitationUsedError,
)
from signapp.models import Envelope, Event, Invitation, Notice, Recipient
from signapp.services import logins
from signapp.services.envelopes.access import SEES, locked, record
from signapp.services.envelopes.turns import notify, open_turns
from signapp.services.limits import read_limits
from signapp.services.logins import Account

_BETWEEN_LINKS = timedelta(minutes=10)


@dataclass(frozen=True)
class Preview:
    """What whoever holds the link may know before logging in: no document, no name but the sender's."""

    sender: str
    address: str  # masked


def checksum(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def create_invitation(recipient: Recipient) -> str:
    """A new link's secret; older ones end."""
    now = timezone.now()
    recipient.invitations.filter(revoked_at=None).update(revoked_at=now)
    secret = secrets.token_urlsafe(32)
    Invitation.objects.create(
        recipient=recipient,
        checksum=checksum(secret),
        email=recipient.email,
        expires_at=now + timedelta(days=read_limits().invitation_days),
    )
    return secret


def mask_address(email: str) -> str:
    """Enough for its owner to know it, too little to write to."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}…@{domain}"


def _find(secret: str) -> Invitation:
    found = Invitation.objects.select_related("recipient__envelope").filter(checksum=checksum(secret)).first()
    if found is None:
        raise InvitationError
    return found


def _require_open(invitation: Invitation) -> None:
    recipient, now = invitation.recipient, timezone.now()
    over = (Envelope.State.CANCELLED, Envelope.State.DECLINED, Envelope.State.EXPIRED)
    is_handed_over = bool(invitation.email) and invitation.email.casefold() != recipient.email.casefold()
    if recipient.envelope.state in over or recipient.state not in SEES or is_handed_over:
        raise InvitationOverError
    if invitation.revoked_at is not None or invitation.expires_at <= now:
        raise InvitationExpiredError


def preview(*, secret: str) -> Preview:
    """For a visitor without a login. Raises `InvitationError`."""
    invitation = _find(secret)
    recipient = invitation.recipient
    if not recipient.subject:
        _require_open(invitation)
    return Preview(recipient.envelope.sender_name, mask_address(recipient.email))


def claim(*, account: Account, token: str, secret: str) -> Envelope:
    """Binds the recipient to this account; again, it only leads on.

    Raises `InvitationUsedError`, `InvitationOverError`, `InvitationExpiredError`, `InvitationElsewhereError`,
    `InvitationAddresslessError`, `InvitationUnverifiedError`, `AuthorizationServerUnavailableError`.
    """
    invitation = _find(secret)
    recipient = invitation.recipient
    mine = {"issuer": account.issuer, "subject": account.subject}
    if recipient.subject:
        if (recipient.issuer, recipient.subject) != (account.issuer, account.subject):
            raise InvitationUsedError
        return recipient.envelope
    _require_open(invitation)
    address = logins.read_address(account=account, token=token)
    if not address.email:
        raise InvitationAddresslessError
    if address.email.casefold() != recipient.email.casefold():
        raise InvitationElsewhereError
    if not address.is_verified:
        raise InvitationUnverifiedError
    with locked(recipient.envelope_id) as held:
        if not Recipient.objects.filter(pk=recipient.pk, subject="").change(**mine):
            raise InvitationUsedError
        invitation.used_at = timezone.now()
        invitation.save(update_fields=["used_at"])
        recipient.refresh_from_db()
        record(held, Event.Kind.OPENED, actor=recipient.name)
        if held.state == Envelope.State.SENT and recipient.state == Recipient.State.ACTIVE:
            open_turns(recipient)
        return held


def ask_for_link(*, secret: str) -> None:
    """A new link for an old one, to the invited address and nowhere else; at most one in ten minutes. Whoever asks is
    answered alike. Raises `InvitationOverError`, `InvitationError`."""
    invitation = _find(secret)
    with suppress(InvitationExpiredError):
        _require_open(invitation)
    invite_again(invitation.recipient)


def invite_again(recipient: Recipient) -> None:
    """To the invited address; at most once in ten minutes, and not once an account has taken the place."""
    with locked(recipient.envelope_id) as held:
        lately = recipient.notices.filter(created__gt=timezone.now() - _BETWEEN_LINKS).exists()
        if not lately and not recipient.subject:
            done = held.state == Envelope.State.COMPLETED
            notify(held, Notice.Kind.COMPLETED if done else Notice.Kind.INVITATION, recipient)
