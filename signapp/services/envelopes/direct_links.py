"""Direct links: whoever opens one says a name and an address, and is invited there to sign an envelope of their own.

The invitation is an invitation like any other: it opens for the account of that address alone, once the address is
shown to be its own. So a link makes nobody sign in another's name, and shows nobody a document; what it can be misused
for is to have mail sent, which is bounded.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from signapp.errors import (
    DirectLinkBusyError,
    DirectLinkOverError,
    DirectLinkUnknownError,
    EnvelopeNotFoundError,
    SeveralRolesError,
)
from signapp.models import DirectLink, DirectLinkUse, Envelope, Recipient
from signapp.services.envelopes.access import locked
from signapp.services.envelopes.copying import Named, copy_draft
from signapp.services.envelopes.drafts import send_envelope
from signapp.services.envelopes.invitations import invite_again
from signapp.services.envelopes.templates import find_template
from signapp.services.logins import Account

# People who come by themselves; more in an hour are somebody's program.
MOST_AN_HOUR = 60


@dataclass(frozen=True)
class Offer:
    """What everybody may know who opens a link."""

    title: str
    sender: str


def find_link(*, account: Account, template_id: uuid.UUID) -> tuple[Envelope, DirectLink | None]:
    """A template of this account, and its link, which may be over. Raises `EnvelopeNotFoundError`."""
    template = find_template(account=account, template_id=template_id)
    return template, DirectLink.objects.filter(template=template).first()


def is_over(link: DirectLink) -> bool:
    return link.expires_at <= timezone.now() or link.uses.count() >= link.most_uses


def create_link(*, account: Account, template_id: uuid.UUID, days: int, most_uses: int) -> DirectLink:
    """A new address; the former one ends. Raises `SeveralRolesError`, `EnvelopeNotFoundError`."""
    find_template(account=account, template_id=template_id)
    with locked(template_id) as held:
        if [each.role for each in held.recipients.all()] != [Recipient.Role.SIGNER]:
            raise SeveralRolesError
        DirectLink.objects.filter(template=held).delete()
        return DirectLink.objects.create(
            template=held,
            secret=secrets.token_urlsafe(24),
            most_uses=most_uses,
            expires_at=timezone.now() + timedelta(days=days),
        )


def delete_link(*, account: Account, template_id: uuid.UUID) -> None:
    """Envelopes that were asked for stay. Raises `EnvelopeNotFoundError`."""
    find_template(account=account, template_id=template_id)
    with locked(template_id) as held:
        DirectLink.objects.filter(template=held).delete()


def _find(secret: str) -> DirectLink:
    found = DirectLink.objects.select_related("template").filter(secret=secret).first()
    if found is None:
        raise DirectLinkUnknownError
    if is_over(found):
        raise DirectLinkOverError
    return found


def read_offer(*, secret: str) -> Offer:
    """Raises `DirectLinkUnknownError`, `DirectLinkOverError`."""
    template = _find(secret).template
    return Offer(template.title, template.sender_name)


def ask_for_envelope(*, secret: str, name: str, email: str) -> None:
    """An envelope for this person, with its invitation on the way. Who has one under way gets that one's again, at most
    every ten minutes, and whoever asks is answered alike.

    Raises `DirectLinkUnknownError`, `DirectLinkOverError`, `DirectLinkBusyError`.
    """
    template_id = _find(secret).template_id
    try:
        with locked(template_id) as held:
            link = _find(secret)
            going = link.uses.filter(email__iexact=email, envelope__state=Envelope.State.SENT)
            if use := going.select_related("envelope").first():
                again = use.envelope
            else:
                again = None
                _send(held, link, Named(name, email))
    except EnvelopeNotFoundError:
        raise DirectLinkUnknownError from None
    if again is not None:
        invite_again(again.recipients.get())


def _send(template: Envelope, link: DirectLink, person: Named) -> None:
    now = timezone.now()
    if link.uses.filter(created__gt=now - timedelta(hours=1)).count() >= MOST_AN_HOUR:
        raise DirectLinkBusyError
    owner = Account(template.issuer, template.subject, template.sender_email, template.sender_name, is_operator=False)
    role = template.recipients.get()
    made, _copies = copy_draft(template, {role.pk: person}, state=Envelope.State.DRAFT)
    DirectLinkUse.objects.create(link=link, envelope=made, email=person.email)
    send_envelope(
        account=owner,
        envelope_id=made.pk,
        title=template.title,
        message=template.message,
        due_on=None,
        may_delegate=template.may_delegate,
        now=now,
    )
