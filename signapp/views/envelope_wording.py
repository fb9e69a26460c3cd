"""What envelopes and their people are called on a page."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from signapp.models import Envelope, Event, Recipient
from signapp.services.envelopes.access import is_sender, own_recipient
from signapp.services.logins import Account
from signapp.views.wording import visible_text, write_size


def describe_envelope(envelope: Envelope, account: Account) -> dict[str, Any]:
    """Everything that the list says about one."""
    mine = own_recipient(account, envelope)
    waits = envelope.state == "sent" and mine is not None and mine.state == "active"
    acts = [person for person in envelope.recipients.all() if person.role != "copy"]
    done = sum(person.state == "done" for person in acts)
    return {
        "id": envelope.pk,
        "title": visible_text(envelope.title),
        "sender": _("you") if is_sender(account, envelope) else visible_text(envelope.sender_name),
        "progress": _("%(done)d of %(all)d done") % {"done": done, "all": len(acts)},
        "badge": _badge(str(envelope.state), waits=waits),
        "when": envelope.ended_at or envelope.sent_at or envelope.created,
        "act": _("Read and sign") if waits else _("Continue") if envelope.state == "draft" else _("Open"),
    }


def _badge(state: str, *, waits: bool) -> dict[str, str]:
    if waits:
        return {"kind": "warning", "label": _("Waiting for you"), "icon": "clock"}
    return {
        "draft": {"kind": "neutral", "label": _("Draft")},
        "sent": {"kind": "info", "label": _("Waiting for others"), "icon": "clock"},
        "completed": {"kind": "success", "label": _("Completed")},
        "declined": {"kind": "danger", "label": _("Declined")},
        "cancelled": {"kind": "neutral", "label": _("Cancelled")},
        "expired": {"kind": "neutral", "label": _("Expired")},
    }[state]


def describe_recipient(person: Recipient) -> dict[str, Any]:
    roles = {"signer": _("signs"), "approver": _("approves"), "copy": _("gets a copy")}
    states = {
        "waiting": {"kind": "neutral", "label": _("Not asked yet")},
        "active": {"kind": "info", "label": _("Asked"), "icon": "clock"},
        "done": {"kind": "success", "label": _("Signed") if person.role == "signer" else _("Done")},
        "declined": {"kind": "danger", "label": _("Declined")},
    }
    name = visible_text(person.name)
    return {
        "id": person.pk,
        "name": name,
        "note": f"{person.order}. {roles[person.role]} · {visible_text(person.email)}",
        "badge": states[person.state],
        "can_resend": person.state == "active",
        "resend_label": _("Send %(name)s a new link") % {"name": name},
        "remove_label": _("Remove %(name)s") % {"name": name},
    }


def describe_part(part: Any, turn: Any = None) -> dict[str, Any]:
    pages = ngettext("%(pages)d page", "%(pages)d pages", part.pages) % {"pages": part.pages}
    name = visible_text(part.name)
    href = reverse("signapp:part", args=[part.envelope_id, part.pk])
    label = _("Download")
    is_signed = turn is not None and turn.state == "signed"
    if turn is not None and not is_signed:
        href, label = reverse("signapp:document", args=[turn.pk]), _("Read and sign")
    return {
        "id": part.pk,
        "name": name,
        "meta": " · ".join([pages, write_size(part.size), *([_("repaired")] if part.repairs else [])]),
        "href": href,
        "link_label": label,
        "is_wanted": turn is not None and not is_signed,
        "signed": is_signed,
        "badge": {"kind": "success", "label": _("Signed by you")} if is_signed else None,
        "remove_label": _("Remove %(name)s") % {"name": name},
    }


def describe_event(event: Event) -> dict[str, Any]:
    """A line of the trail in words."""
    words = {"who": visible_text(event.actor), "what": visible_text(event.detail)}
    sentences = {
        "sent": _("%(who)s sent the envelope."),
        "asked": _("It is %(what)s’s turn."),
        "mailed": _("A message went to %(what)s."),
        "opened": _("%(who)s took the invitation up."),
        "signed": _("%(who)s signed %(what)s."),
        "finished": _("%(who)s has signed every document."),
        "approved": _("%(who)s approved."),
        "declined": _("%(who)s declined: %(what)s"),
        "delegated": _("%(who)s handed their place to %(what)s"),
        "reminded": _("%(what)s was reminded."),
        "completed": _("Everybody is done. The envelope is complete."),
        "cancelled": _("%(who)s cancelled it. %(what)s"),
        "expired": _("Time ran out."),
    }
    return {"at": event.at, "text": sentences[event.kind] % words}
