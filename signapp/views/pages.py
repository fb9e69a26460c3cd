"""What every page of this role has: the navigation, a logged-in account, and an answer to every error of the role."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from signapp import errors
from signapp.decorators import no_store
from signapp.error_responses import Explanation, explain
from signapp.services import logins, readers
from signapp.services.logins import Account

P = ParamSpec("P")


@dataclass(frozen=True)
class Signer:
    """Who is logged in, and the token with which other roles are called for this person."""

    account: Account
    token: str


LoggedInView = Callable[Concatenate[HttpRequest, Signer, P], HttpResponseBase]


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, status: int = HTTPStatus.OK
) -> HttpResponse:
    """The page, and on those that name their ``section`` the navigation. The account's other half lies at authz; where
    another provider stands in its place, pages have its host's name (``provider``) and no address of authz's."""
    elsewhere = _pages_of_authz()
    shared: dict[str, Any] = {"home_url": reverse("signapp:home"), "provider": provider_name(), **elsewhere}
    if section := (context or {}).get("section"):
        shared["nav_items"] = [
            _nav_item(reverse("signapp:documents"), _("Documents"), "documents", current=section == "documents"),
            _nav_item(reverse("signapp:envelopes"), _("Envelopes"), "mail", current=section == "envelopes"),
            _nav_item(reverse("signapp:account"), _("Account"), "person", current=section == "account"),
        ]
        if elsewhere:
            shared["nav_items"] += [
                _nav_item(elsewhere["approvals_url"], _("Approvals"), "sign"),
                _nav_item(elsewhere["passkeys_url"], _("Passkeys"), "passkey"),
            ]
    return render(request, template, {**shared, **(context or {})}, status=status)


def provider_name() -> str:
    """Whom people log in at, if that is not authz: the host's name; else an empty text."""
    return urlsplit(settings.EXTERNAL_ISSUER).hostname or ""


def _pages_of_authz() -> dict[str, str]:
    if settings.EXTERNAL_ISSUER:
        return {}
    return {f"{name}_url": f"{settings.ISSUER}/{name}" for name in ("approvals", "passkeys", "sessions")}


def _nav_item(href: str, label: str, icon: str, *, current: bool = False) -> dict[str, Any]:
    return {"href": href, "label": label, "icon": icon, "current": current}


def logged_in(view: LoggedInView[P]) -> Callable[..., HttpResponseBase]:
    """The view gets (request, signer, …). Who is not logged in is sent to do so and comes back."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        account = logins.read_account(session=request.session)
        if account is None:
            return _log_in(request)
        readers.remember_language(session=request.session, account=account, language=get_language() or "")
        try:
            return view(request, Signer(account, logins.service_token(session=request.session)), *args, **kwargs)
        except errors.LoginRequiredError:
            return _log_in(request)

    return answered(wrapped)


def answered(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Every error of the role that the view lets through becomes its page; nothing is kept in between."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except errors.SignappError as error:
            return problem(request, explain(error))

    return no_store(wrapped)


def _log_in(request: HttpRequest) -> HttpResponse:
    if "HX-Request" in request.headers:
        # A part of a page that refreshes itself: the whole page is asked for again, and that leads to the login.
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Refresh": "true"})
    # A callback's address holds a code, and its state belongs to the session that ended: neither is carried on.
    returns = request.method in {"GET", "HEAD"} and request.path != reverse("signapp:approval_callback")
    here = request.get_full_path() if returns else reverse("signapp:documents")
    return HttpResponseRedirect(f"{reverse('signapp:login')}?{urlencode({'next': here})}")


def problem(request: HttpRequest, explanation: Explanation, *, action: tuple[str, str] | None = None) -> HttpResponse:
    """A page for what went wrong; ``action`` is an address and what its button says."""
    href, label = action or (reverse("signapp:documents"), _("Go to your documents"))
    context = {
        "title": explanation.title,
        "sentence": explanation.sentence,
        "code": explanation.code,
        "action": {"href": href, "label": label},
        "reference": getattr(request, "request_id", ""),
    }
    response = render_page(request, "signapp/problem.html", context, status=explanation.status)
    if explanation.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "5"
    return response


def safe_next(wanted: str | None) -> str:
    """``wanted`` if it is a path of this origin, else the documents."""
    if wanted and wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return reverse("signapp:documents")
