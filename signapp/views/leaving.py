"""Taking one's things along, and deleting the account. Both ask for a login within the last minutes."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from signapp.error_responses import explanation_of
from signapp.services import exports, leaving, logins
from signapp.views.envelope_wording import describe_envelope
from signapp.views.pages import Signer, logged_in, render_page
from signapp.views.wording import write_size

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Signer, P], HttpResponseBase]


def confirmed(name: str) -> Callable[[View[P]], View[P]]:
    """Whoever logged in a while ago does so again first, and comes back to the page ``name``."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def wrapped(request: HttpRequest, signer: Signer, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if logins.is_recent(session=request.session):
                return view(request, signer, *args, **kwargs)
            query = urlencode({"next": reverse(f"signapp:{name}")})
            return HttpResponseRedirect(f"{reverse('signapp:login')}?{query}")

        return wrapped  # type: ignore[return-value]  # parameters by name are parameters

    return decorate


@require_safe
@logged_in
def export(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    is_recent = logins.is_recent(session=request.session)
    context = {"section": "account", "account": signer.account, "is_recent": is_recent, **_describe(signer)}
    return render_page(request, "signapp/export.html", context)


@require_safe
@logged_in
def export_state(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """The part of the page that moves."""
    described = {**_describe(signer), "is_recent": logins.is_recent(session=request.session)}
    return render(request, "signapp/_export.html", described)


def _describe(signer: Signer) -> dict[str, object]:
    found = exports.find_export(account=signer.account)
    if found is None or (found.expires_at is not None and found.expires_at <= timezone.now()):
        return {"state": ""}
    parts = list(found.parts.all())
    return {
        "state": found.state,
        "done": found.done,
        "total": found.total,
        "parts": [
            {
                "href": reverse("signapp:export_file", args=[part.pk]),
                "label": _("Download") if len(parts) == 1 else _("Download part %(number)d") % {"number": part.number},
                "size": write_size(part.file.size),
            }
            for part in parts
        ],
        "size": write_size(sum(part.file.size for part in parts)),
        "expires_at": found.expires_at,
        "problem": explanation_of(found.error_code) if found.error_code else None,
    }


@require_POST
@logged_in
@confirmed("export")
def begin_export(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    exports.request_export(account=signer.account)
    return HttpResponseRedirect(reverse("signapp:export"))


@require_POST
@logged_in
def delete_export(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    exports.delete_export(account=signer.account)
    return HttpResponseRedirect(reverse("signapp:export"))


@require_safe
@logged_in
@confirmed("export")
def export_file(request: HttpRequest, signer: Signer, export_part_id: UUID) -> HttpResponseBase:
    opened, part = exports.open_export(account=signer.account, part_id=export_part_id)
    words = {"day": f"{timezone.now():%Y-%m-%d}", "number": part.number}
    is_alone = part.export.parts.count() == 1
    name = (_("Export %(day)s.zip") if is_alone else _("Export %(day)s, part %(number)d.zip")) % words
    return FileResponse(opened, as_attachment=True, filename=name, content_type="application/zip")


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
@confirmed("leave")
def leave(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Open envelopes are named first; nothing goes before the days of grace are over."""
    account = signer.account
    if request.method == "POST":
        leaving.ask_to_leave(account=account)
        return HttpResponseRedirect(reverse("signapp:leave"))
    under_way = leaving.list_open(account=account)
    departure = leaving.find_departure(account=account)
    context = {
        "departure": departure,
        "sent": [describe_envelope(each, account) for each in under_way.sent],
        "asked": [describe_envelope(each, account) for each in under_way.asked],
        "days": leaving.GRACE.days,
    }
    return render_page(request, "signapp/leave.html", context)


@require_POST
@logged_in
def stay(request: HttpRequest, signer: Signer) -> HttpResponse:
    leaving.stay(account=signer.account)
    return HttpResponseRedirect(reverse("signapp:account"))
