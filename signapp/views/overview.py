"""All envelopes of an account: the list by where they stand, and one act on several of them."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from signapp.error_responses import explanation_of
from signapp.forms import ReasonForm
from signapp.services.envelopes import access, archives, many, notices, overview
from signapp.services.limits import read_limits
from signapp.views.envelope_wording import describe_envelope
from signapp.views.pages import Signer, logged_in, render_page

_PERIODS = {"7": timedelta(days=7), "30": timedelta(days=30), "365": timedelta(days=365)}
# What can be done to what stands where; the first is pressed most.
_ACTS = {
    "waiting": ("download",),
    "others": ("remind", "download", "cancel"),
    "done": ("download", "bin"),
    "ended": ("download", "bin"),
    "drafts": ("bin",),
    "bin": ("restore",),
}


@require_safe
@logged_in
def envelopes(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    counts = overview.count_envelopes(account=signer.account)
    show = request.GET.get("show", "")
    if show not in overview.SHOWS:
        show = next((name for name in overview.SHOWS if counts[name]), "waiting")
    wanted, chosen = _read_filter(request)
    asked = request.GET.get("page", "1")
    page = int(asked) if asked.isdecimal() and 0 < int(asked[:6]) < 100_000 else 1
    found, more = overview.list_envelopes(account=signer.account, show=show, wanted=wanted, page=page)
    address = urlencode({"show": show, **chosen})
    context = {
        "section": "envelopes",
        "account": signer.account,
        "tabs": _tabs(counts, show),
        "show": show,
        "query": wanted.query,
        "filters": _filters(chosen),
        "is_filtered": not wanted.is_empty,
        "envelopes": [describe_envelope(each, signer.account) for each in found],
        "acts": _describe_acts(show),
        "bin_days": read_limits().bin_days if show == "bin" else 0,
        "is_empty": not any(counts.values()),
        "undo": request.session.pop("undo", None),
        "address": address,
        "previous": page - 1,
        "next": page + 1 if more else 0,
    }
    return render_page(request, "signapp/envelopes.html", context)


def _read_filter(request: HttpRequest) -> tuple[overview.Filter, dict[str, str]]:
    """What is looked for, and the same as it stands in an address. What nobody can choose is left out."""
    query = request.GET.get("q", "").replace("\0", "")[:100].strip()
    sender, period = request.GET.get("sender", ""), request.GET.get("days", "")
    sender = sender if sender in overview.SENDERS else ""
    period = period if period in _PERIODS else ""
    since = timezone.now() - _PERIODS[period] if period else None
    chosen = {"q": query, "sender": sender, "days": period}
    return overview.Filter(query, sender, since), {name: value for name, value in chosen.items() if value}


def _filters(chosen: dict[str, str]) -> list[dict[str, Any]]:
    senders = {"": _("Anybody"), "me": _("Me"), "others": _("Others")}
    periods = {"": _("Any time"), "7": _("Last 7 days"), "30": _("Last 30 days"), "365": _("Last year")}
    return [
        {
            "name": name,
            "label": label,
            "options": [
                {"value": value, "label": words, "chosen": value == chosen.get(name, "")}
                for value, words in options.items()
            ],
        }
        for name, label, options in (("sender", _("Sent by"), senders), ("days", _("Created"), periods))
    ]


def _tabs(counts: dict[str, int], current: str) -> list[dict[str, object]]:
    labels = {
        "waiting": _("Waiting for you"),
        "others": _("Waiting for others"),
        "done": _("Completed"),
        "ended": _("Ended early"),
        "drafts": _("Drafts"),
        "bin": _("Bin"),
    }
    return [
        {"href": f"?show={show}", "label": label, "count": counts[show], "current": show == current}
        for show, label in labels.items()
    ]


def _describe_acts(show: str) -> list[dict[str, Any]]:
    words: dict[str, dict[str, Any]] = {
        "remind": {"label": _("Remind"), "icon": "mail"},
        "download": {"label": _("Download as ZIP"), "icon": "download"},
        "cancel": {"label": _("Cancel"), "icon": "close", "caution": True},
        "bin": {"label": _("Move to the bin"), "icon": "trash", "caution": True},
        "restore": {"label": _("Put back"), "icon": "refresh"},
    }
    return [{"value": act, **words[act]} for act in _ACTS[show]]


@require_POST
@logged_in
def act(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """``act`` on every ``envelope`` of the form."""
    chosen = _read_chosen(request)
    wanted = request.POST.get("act", "")
    if not chosen:
        messages.info(request, _("Choose at least one envelope first."))
        return _back(request)
    if wanted == "download":
        return _download(signer, chosen)
    if wanted == "cancel":
        return _cancel(request, signer, chosen)
    if wanted == "remind":
        outcome = many.remind_all(account=signer.account, envelope_ids=chosen)
        notices.ring()
    elif wanted == "bin":
        outcome = many.bin_all(account=signer.account, envelope_ids=chosen)
        request.session["undo"] = [str(each) for each in outcome.done]
    elif wanted == "restore":
        outcome = many.restore_all(account=signer.account, envelope_ids=chosen)
    else:
        return _back(request)
    _tell(request, wanted, outcome)
    return _back(request)


def _read_chosen(request: HttpRequest) -> list[UUID]:
    chosen = []
    for value in request.POST.getlist("envelope")[: many.MOST]:
        try:
            chosen.append(UUID(value))
        except ValueError:
            continue
    return chosen


def _back(request: HttpRequest) -> HttpResponse:
    show = request.POST.get("show", "")
    query = f"?show={show}" if show in overview.SHOWS else ""
    return HttpResponseRedirect(f"{reverse('signapp:envelopes')}{query}")


def _download(signer: Signer, chosen: list[UUID]) -> HttpResponseBase:
    opened = archives.zip_envelopes(account=signer.account, envelope_ids=chosen)
    name = _("Envelopes %(day)s.zip") % {"day": f"{timezone.now():%Y-%m-%d}"}
    return FileResponse(opened, as_attachment=True, filename=name, content_type="application/zip")


def _cancel(request: HttpRequest, signer: Signer, chosen: list[UUID]) -> HttpResponseBase:
    """Asks first, and why."""
    form = ReasonForm(request.POST if "reason" in request.POST else None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        outcome = many.cancel_all(account=signer.account, envelope_ids=chosen, reason=reason)
        notices.ring()
        _tell(request, "cancel", outcome)
        return _back(request)
    found = [access.find_envelope(account=signer.account, envelope_id=each) for each in chosen]
    context = {
        "title": ngettext("Cancel this envelope?", "Cancel %(count)d envelopes?", len(found)) % {"count": len(found)},
        "label": ngettext("Cancel the envelope", "Cancel %(count)d envelopes", len(found)) % {"count": len(found)},
        "envelopes": [describe_envelope(each, signer.account) for each in found],
        "form": form,
    }
    return render_page(request, "signapp/cancel_envelopes.html", context, status=422 if form.errors else 200)


def _tell(request: HttpRequest, wanted: str, outcome: many.Outcome) -> None:
    count = len(outcome.done)
    if count and wanted != "bin":  # the list says that, beside the way back
        messages.success(request, _done_words(wanted, count) % {"count": count})
    for code, left in outcome.left.most_common():
        sentence = explanation_of(code).title
        words = ngettext("%(count)d was left as it is: %(why)s.", "%(count)d were left as they are: %(why)s.", left)
        messages.warning(request, words % {"count": left, "why": sentence})


def _done_words(wanted: str, count: int) -> str:
    return {
        "remind": ngettext("%(count)d envelope: reminded.", "%(count)d envelopes: reminded.", count),
        "cancel": ngettext("%(count)d envelope is cancelled.", "%(count)d envelopes are cancelled.", count),
        "restore": ngettext("%(count)d envelope is back.", "%(count)d envelopes are back.", count),
    }[wanted]
