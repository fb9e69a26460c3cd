"""Approvals that were asked for out of band: what waits for somebody who is logged in, and the answer."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authz.errors import RequestGoneError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import ApprovalForm
from authz.models import BackchannelRequest
from authz.services import backchannel, consents
from authz.services.logins import Login
from authz.views.account import logged_in
from authz.views.approval_page import approval_page
from authz.views.browser import client_address, visitor
from authz.views.pages import render_page, visible_text
from authz.views.problems import explain, problem


@require_safe
@logged_in()
def list_approvals(request: HttpRequest, login: Login) -> HttpResponse:
    waiting = [
        {
            "request": asked,
            "message": visible_text(asked.binding_message),
            "count": backchannel.count_documents(request=asked),
        }
        for asked in backchannel.list_waiting(user=login.user)
    ]
    return render_page(
        request, "authz/approvals.html", {"user": login.user, "waiting": waiting, "section": "approvals"}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in()
def approval(request: HttpRequest, login: Login, consent_id: UUID) -> HttpResponse:
    """The same page as for a request that a browser brought. A link alone opens it to nobody but its signer."""
    try:
        asked = backchannel.read_waiting(user=login.user, consent_id=consent_id)
        if request.method != "POST":
            return approval_page(request, asked.consent, login, asked=asked)
        return _answer(request, asked, login)
    except RequestGoneError:
        return problem(
            request,
            title=_("This request is over"),
            sentence=_("It was answered already, has expired or is not for this account. This page changed nothing."),
            action=(reverse("authz:approvals"), _("See what waits for you")),
        )


def _answer(request: HttpRequest, asked: BackchannelRequest, login: Login) -> HttpResponse:
    if request.POST.get("answer") == "decline":
        consents.decline_out_of_band(consent=asked.consent, address=client_address(request))
        messages.success(request, _("Declined. Nothing is signed by this request."))
        return HttpResponseRedirect(reverse("authz:approvals"))
    form = ApprovalForm(request.POST)
    if not form.is_valid():
        message = _("Enter your password, then approve with your passkey.")
        return approval_page(request, asked.consent, login, message, asked=asked)
    try:
        consents.approve_out_of_band(
            consent=asked.consent,
            user=login.user,
            reference=form.cleaned_data["reference"],
            password=form.cleaned_data["password"],
            response=form.cleaned_data["response"],
            visitor=visitor(request),
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return approval_page(request, asked.consent, login, explain(error), error, asked=asked)
    messages.success(request, _("Approved. The application goes on by itself; you can go back to it."))
    return HttpResponseRedirect(reverse("authz:approvals"))
