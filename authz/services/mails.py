"""What this role writes to people, about what waits at its own pages. No message decides anything, and everything that
one tells of is on the pages too. Each is written in the language of who reads it, whatever the one of who caused it."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from authz.models import AddressChange, Consent, SecurityEvent, User
from authz.services.languages import speaking
from authz.services.letters import send


def tell_of_link(*, user: User, secret: str, expires: datetime) -> bool:
    """How to confirm an address."""
    with speaking(user.language):
        return send(
            to=user.email,
            name=user.name,
            subject=_("Confirm your address"),
            before=_(
                "somebody, you we hope, has an account with the address %(email)s. To confirm that the address is"
                " yours, open this link, log in, and press the button there."
            )
            % {"email": user.email},
            action=_("Confirm the address"),
            page=f"address/{secret}",
            after=_(
                "It works once, until %(time)s UTC. If the account is not yours, do nothing: without this link nobody"
                " is taken to own your address."
            )
            % {"time": _until(expires)},
        )


def tell_of_request(*, consent: Consent) -> bool:
    """An approval waits: who asks, and where to read what it is. Documents are named on the page alone, and nothing is
    written to an address that may be a stranger's."""
    if consent.user is None or not consent.user.is_email_verified:
        return False
    with speaking(consent.user.language):
        return send(
            to=consent.user.email,
            name=consent.user.name,
            subject=_("An approval waits for you"),
            before=_(
                "%(client)s asks for your approval to sign. Nothing has been signed, and nothing can be approved from"
                " this message."
            )
            % {"client": consent.backchannel.on_behalf_of.name},
            ask=_(
                "Read what it is about, and approve or decline it there, after you have logged in with password and"
                " passkey."
            ),
            action=_("Read what it is about"),
            page=f"approvals/{consent.pk}",
            after=_("It waits until %(time)s UTC. If you did not expect this, decline it, or do nothing.")
            % {"time": date_format(consent.expires, "H:i")},
        )


def tell_of_password_link(*, user: User, secret: str, expires: datetime) -> bool:
    """How to set a new password, which the link alone does not do."""
    with speaking(user.language):
        return send(
            to=user.email,
            name=user.name,
            subject=_("Set a new password"),
            before=_(
                "somebody, you we hope, forgot the password of the account with the address %(email)s. To set a new"
                " one, open this link and have a passkey or a printed recovery code at hand."
            )
            % {"email": user.email},
            action=_("Set a new password"),
            page=f"password/{secret}",
            after=_(
                "It works once, until %(time)s UTC. If it was not you, do nothing: the password stays as it is, and"
                " this link alone opens nothing."
            )
            % {"time": _until(expires)},
        )


def tell_of_sign_up_link(*, email: str, secret: str, expires: datetime, language: str) -> bool:
    """How to go on with a sign-up. To somebody of whom nothing is known: nothing that was typed stands in it. In
    ``language``, which the page was in."""
    with speaking(language):
        return send(
            to=email,
            subject=_("Create your account"),
            before=_(
                "somebody, you we hope, wants an account with the address %(email)s. To go on, open this link in the"
                " same browser."
            )
            % {"email": email},
            action=_("Go on"),
            page=f"signup/{secret}",
            after=_("It works once, until %(time)s UTC. If it was not you, do nothing: there will be no account.")
            % {"time": _until(expires)},
        )


def tell_of_sign_up(*, user: User) -> bool:
    """To somebody who has an account, or whose address somebody else knows: it is there already."""
    with speaking(user.language):
        return send(
            to=user.email,
            name=user.name,
            subject=_("You have an account already"),
            before=_(
                "somebody, you perhaps, asked for an account with the address %(email)s. You have one already, so log"
                " in with it."
            )
            % {"email": user.email},
            action=_("Log in"),
            page="login",
            after=_("If it was not you, there is nothing to do. Whoever asked was told nothing of your account."),
        )


def tell_of_address_change(*, user: User, email: str, secret: str, expires: datetime) -> bool:
    """To the new address: how to confirm it."""
    with speaking(user.language):
        return send(
            to=email,
            name=user.name,
            subject=_("Confirm your new address"),
            before=_(
                "an account shall have the address %(email)s from now on. If it is yours, open this link, log in, and"
                " press the button there."
            )
            % {"email": email},
            action=_("Confirm the new address"),
            page=f"address/change/{secret}",
            after=_(
                "It works once, until %(time)s UTC. If the account is not yours, do nothing: without this link nothing"
                " is changed."
            )
            % {"time": _until(expires)},
        )


def tell_of_changed_address(*, user: User, change: AddressChange, secret: str, expires: datetime) -> bool:
    """To the old address: what was changed, and the way back."""
    with speaking(user.language):
        return send(
            to=change.old_email,
            name=user.name,
            subject=_("Your account has another address"),
            before=_(
                "your account does not have the address %(old)s any more; another one was confirmed in its place."
                " Messages go there from now on."
            )
            % {"old": change.old_email},
            ask=_("If it was not you, undo it with this link, and have a passkey or a printed recovery code at hand."),
            action=_("Undo the change"),
            page=f"address/undo/{secret}",
            after=_("It works once, until %(time)s UTC.") % {"time": _until(expires)},
        )


def tell_of_event(*, event: SecurityEvent) -> bool:
    """Something that changes who can get in. Not written to an address that may be a stranger's."""
    user = event.user
    if not user.is_email_verified:
        return False
    with speaking(user.language):
        where = [f"{_until(event.happened)} UTC", event.browser_name, event.address]
        return send(
            to=user.email,
            name=user.name,
            subject=str(event.get_kind_display()),
            before=_("this happened to your account %(email)s:") % {"email": user.email},
            quote=f"{event.get_kind_display()}\n{', '.join(filter(None, where))}",
            ask=_(
                "If it was you, there is nothing to do. If not, log in, end the sessions that you do not know, change"
                " your password and remove passkeys that are not yours."
            ),
            action=_("See your sessions"),
            page="sessions",
        )


def _until(expires: datetime) -> str:
    return date_format(expires, "j F Y, H:i")
