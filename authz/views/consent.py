"""The consent page: what is asked, and the answer with both factors."""

from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authz.approval import format_fingerprint
from authz.authorization_details import CredentialAuthorization, CredentialCreation
from authz.decorators import no_store
from authz.errors import AuthzError, RequestGoneError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import ApprovalForm
from authz.models import Consent
from authz.services import consents
from authz.services.logins import Login
from authz.views.authorize import ClientRedirect
from authz.views.browser import (
    client_address,
    known_binding,
    login_url,
    origin_of,
    read_login,
)
from authz.views.pages import key_algorithm_name, render_page, visible_text
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
        response = _answer(request, pending, login) if request.method == "POST" else _ask(request, pending, login)
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


def _ask(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    if pending.kind != Consent.Kind.SERVICE:
        return _approval_page(request, pending, login)
    if pending.application.skip_authorization:
        return _allow(request, pending, login)
    consents.bind_consent(consent=pending, user=login.user)
    return render_page(request, "authz/access.html", {"consent": pending, "scopes": pending.request["scopes"]})


def _answer(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    if request.POST.get("answer") == "decline":
        consents.bind_consent(consent=pending, user=login.user)
        return ClientRedirect(consents.decline_consent(consent=pending, address=client_address(request)))
    if pending.kind == Consent.Kind.SERVICE:
        return _allow(request, pending, login)
    form = ApprovalForm(request.POST)
    if not form.is_valid():
        return _approval_page(request, pending, login, _("Enter your password, then approve with your passkey."))
    try:
        consents.bind_consent(consent=pending, user=login.user)
        location = consents.approve_consent(
            consent=pending,
            user=login.user,
            reference=form.cleaned_data["reference"],
            password=form.cleaned_data["password"],
            response=form.cleaned_data["response"],
            address=client_address(request),
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return _approval_page(request, pending, login, explain(error), error)
    return ClientRedirect(location)


def _allow(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    location = consents.allow_access(
        consent=pending,
        user=login.user,
        auth_time=login.auth_time,
        amr=login.amr,
        address=client_address(request),
    )
    return ClientRedirect(location)


def _approval_page(
    request: HttpRequest, pending: Consent, login: Login, message: str = "", error: AuthzError | None = None
) -> HttpResponse:
    page = consents.prepare_approval(consent=pending, user=login.user)
    context = {
        "consent": pending,
        "client": pending.application,
        "page": page,
        "details": page.details,
        "message": message,
        "user": login.user,
        "form": ApprovalForm(),
        "options": [
            {"passkey": passkey.pk, "name": passkey.name, "options": options} for passkey, options in page.choices
        ],
    }
    if isinstance(page.details, CredentialAuthorization):
        context["credential_label"] = visible_text(page.details.credential_label)
        context["documents"] = [
            {"label": visible_text(item.label), "fingerprint": format_fingerprint(item.digest)}
            for item in page.details.document_digests
        ]
    else:
        context["policy"] = visible_text(page.details.certificate_policy)
        context["key_algorithm"] = key_algorithm_name(page.details.key_algorithm)
    template = "authz/create_credential.html" if isinstance(page.details, CredentialCreation) else "authz/approve.html"
    status = HTTPStatus.UNPROCESSABLE_ENTITY if message else HTTPStatus.OK
    if isinstance(error, ThrottledError):
        status = HTTPStatus.TOO_MANY_REQUESTS
    return render_page(request, template, context, status=status)
