"""The consent page: what is asked, and the answer with both factors."""

from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authz.decorators import no_store
from authz.errors import (
    AddressNotConfirmedError,
    RequestGoneError,
    StaleApprovalError,
    ThrottledError,
    WrongFactorError,
)
from authz.forms import ApprovalForm
from authz.models import Consent
from authz.services import addresses, choosing, consents
from authz.services.logins import Login, read_sid
from authz.services.oauth_clients import OPERATOR_SCOPE
from authz.views.approval_page import approval_page
from authz.views.authorize import ClientRedirect
from authz.views.browser import (
    client_address,
    known_binding,
    login_url,
    origin_of,
    read_login,
    visitor,
)
from authz.views.choosing import CHOOSE, CHOOSE_AGAIN, choice_page, choose
from authz.views.pages import render_page
from authz.views.problems import explain, request_gone


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def consent(request: HttpRequest, consent_id: UUID) -> HttpResponse:
    """Shows the pending request to its user, and takes the answer."""
    try:
        pending = consents.read_pending_consent(consent_id=consent_id, browser=known_binding(request))
        login = read_login(request)
        if login is None or not consents.is_login_recent_enough(consent=pending, auth_time=login.auth_time):
            return _log_in(pending)
        is_operators = OPERATOR_SCOPE in pending.request["scopes"]
        if (is_operators or pending.application.client_id == settings.OPERATORS_CLIENT_ID) and "pwd" not in login.amr:
            # The other roles' admin opens to password and passkey, as this one's does; so does their API.
            return HttpResponseRedirect(login_url(reverse("authz:consent", args=[pending.pk]), confirm=True))
        response = _respond(request, pending, login)
    except RequestGoneError as error:
        return request_gone(request, error)
    # The form is answered by a redirect to the client, which the policy has to know (CSP3, form-action).
    response._csp_update = {"form-action": [origin_of(pending.request["redirect_uri"])]}  # type: ignore[attr-defined]  # noqa: SLF001  (django-csp's way)
    return response


def _log_in(pending: Consent) -> HttpResponse:
    """The pending request is found again by its address; somebody new begins at the sign-up page."""
    here = reverse("authz:consent", args=[pending.pk])
    if "create" in pending.request["prompt"]:
        return HttpResponseRedirect(login_url(here).replace(reverse("authz:login"), reverse("authz:signup"), 1))
    return HttpResponseRedirect(login_url(here))


def _respond(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    try:
        return _answer(request, pending, login) if request.method == "POST" else _ask(request, pending, login)
    except AddressNotConfirmedError:
        return _confirm_first(request, pending, login)


def _ask(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    if _needs_choice(pending):
        return choice_page(request, pending, login)
    if pending.kind != Consent.Kind.SERVICE:
        return approval_page(request, pending, login)
    if pending.application.skip_authorization:
        return _allow(request, pending, login)
    consents.bind_consent(consent=pending, user=login.user)
    return render_page(request, "authz/access.html", {"consent": pending, "scopes": pending.request["scopes"]})


def _confirm_first(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    """The request waits while its user opens the link that was mailed, which ``answer=link`` sends once more."""
    message, status = "", HTTPStatus.OK
    if request.method == "POST" and request.POST.get("answer") == "link":
        try:
            addresses.send_link(user=login.user)
            messages.success(request, _("A new link is on its way to you."))
            return HttpResponseRedirect(reverse("authz:consent", args=[pending.pk]))
        except ThrottledError as error:
            message, status = explain(error), HTTPStatus.TOO_MANY_REQUESTS
    context = {"client": pending.application, "consent": pending, "user": login.user, "message": message}
    return render_page(request, "authz/confirm_first.html", context, status=status)


def _answer(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    if request.POST.get("answer") == "decline":
        consents.bind_consent(consent=pending, user=login.user)
        return ClientRedirect(consents.decline_consent(consent=pending, address=client_address(request)))
    if pending.kind == Consent.Kind.SERVICE:
        return _allow(request, pending, login)
    if request.POST.get("answer") in {CHOOSE, CHOOSE_AGAIN}:
        return choose(request, pending, login)
    if _needs_choice(pending):
        return choice_page(request, pending, login)
    form = ApprovalForm(request.POST)
    if not form.is_valid():
        return approval_page(request, pending, login, _("Enter your password, then approve with your passkey."))
    try:
        consents.bind_consent(consent=pending, user=login.user)
        location = consents.approve_consent(
            consent=pending,
            user=login.user,
            reference=form.cleaned_data["reference"],
            password=form.cleaned_data["password"],
            response=form.cleaned_data["response"],
            visitor=visitor(request),
            meant=form.cleaned_data["passkey"],
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return approval_page(request, pending, login, explain(error), error)
    return ClientRedirect(location)


def _needs_choice(pending: Consent) -> bool:
    asked = choosing.read_qualified(consent=pending)
    return asked is not None and asked.needs_choice


def _allow(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    location = consents.allow_access(
        consent=pending,
        user=login.user,
        auth_time=login.auth_time,
        amr=login.amr,
        sid=read_sid(session=request.session),
        visitor=visitor(request),
    )
    return ClientRedirect(location)
