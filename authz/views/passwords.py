"""The password: forgotten, set anew by a link and a second factor, or changed by somebody who is logged in."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authz import tasks
from authz.decorators import no_store
from authz.errors import AuthzError, RequestGoneError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import ChangePasswordForm, EmailForm, NewPasswordForm
from authz.models import PasswordLink
from authz.services import passwords, throttling
from authz.services.logins import Login, renew_sid
from authz.views import browser
from authz.views.account import logged_in
from authz.views.login import error_status
from authz.views.pages import render_page
from authz.views.problems import explain, problem
from authz.views.steps import second_factor_page, take_second_factor

RESET = "password"


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Asks for a link. The answer is one for every address, and whether there is an account is looked up elsewhere."""
    form = EmailForm(request.POST or None)
    if request.method != "POST":
        return render_page(request, "authz/forgotten.html", {"form": EmailForm()})
    if not form.is_valid():
        return render_page(request, "authz/forgotten.html", {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        throttling.count_password_link(address=browser.client_address(request))
    except ThrottledError as error:
        context = {"form": form, "message": explain(error)}
        return render_page(request, "authz/forgotten.html", context, status=error_status(error))
    tasks.send_password_link.delay(form.cleaned_data["email"])
    return render_page(request, "authz/forgotten_sent.html", {"email": form.cleaned_data["email"]})


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest, secret: str) -> HttpResponse:
    """The page behind the link. The link alone sets nothing."""
    try:
        link = passwords.read_link(secret=secret)
        if request.method != "POST":
            return _reset_page(request, link, NewPasswordForm(for_user=link.user))
        form = NewPasswordForm(request.POST, for_user=link.user)
        if not form.is_valid():
            return _reset_page(request, link, form)
        verified = take_second_factor(request, RESET, link.user)
        passwords.reset_password(
            link=link, new=form.cleaned_data["password"], verified=verified, visitor=browser.visitor(request)
        )
    except RequestGoneError:
        return problem(
            request,
            title=_("This link is over"),
            sentence=_("It was used already or has expired. The password is as it was."),
            action=(reverse("authz:forgotten"), _("Have a new link sent")),
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return _reset_page(request, link, NewPasswordForm(for_user=link.user), error)
    browser.end_ceremony(request)
    messages.success(request, _("Your new password is set. Every session was ended; log in with it."))
    return HttpResponseRedirect(reverse("authz:login"))


def _reset_page(
    request: HttpRequest, link: PasswordLink, form: NewPasswordForm, error: AuthzError | None = None
) -> HttpResponse:
    return second_factor_page(
        request, "authz/reset.html", RESET, link.user, {"form": form}, error, is_wrong=form.is_bound
    )


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in(recently=True)
def change(request: HttpRequest, login: Login) -> HttpResponse:
    """The current password, and both factors within minutes. Every other session ends; this one gets a new id."""
    form = ChangePasswordForm(request.POST or None, for_user=login.user)
    context = {"form": form, "user": login.user}
    if request.method != "POST" or not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render_page(request, "authz/change_password.html", context, status=status)
    try:
        passwords.change_password(
            user=login.user,
            current=form.cleaned_data["current"],
            new=form.cleaned_data["password"],
            visitor=browser.visitor(request),
        )
    except (WrongFactorError, ThrottledError) as error:
        context |= {"form": ChangePasswordForm(for_user=login.user), "message": explain(error)}
        return render_page(request, "authz/change_password.html", context, status=error_status(error))
    update_session_auth_hash(request, login.user)
    renew_sid(session=request.session)
    messages.success(request, _("Your password is changed. Every other session was ended."))
    return HttpResponseRedirect(reverse("authz:passkeys"))
