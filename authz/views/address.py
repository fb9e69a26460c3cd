"""The account's e-mail address: having a link sent, and confirming the address with it."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from authz.decorators import no_store
from authz.errors import RequestGoneError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import ChangeAddressForm
from authz.services import address_changes, addresses
from authz.services.logins import Login
from authz.views import browser
from authz.views.account import logged_in
from authz.views.login import error_status
from authz.views.pages import render_page
from authz.views.problems import explain, problem
from authz.views.steps import second_factor_page, take_second_factor

UNDO = "address"


@require_POST
@logged_in()
def send_link(request: HttpRequest, login: Login) -> HttpResponse:
    if login.user.is_email_verified:
        return HttpResponseRedirect(reverse("authz:passkeys"))
    try:
        addresses.send_link(user=login.user)
    except ThrottledError as error:
        return problem(
            request,
            title=_("Enough links for now"),
            sentence=explain(error),
            status=HTTPStatus.TOO_MANY_REQUESTS,
            action=(reverse("authz:passkeys"), _("Back to your account")),
        )
    messages.success(request, _("A new link is on its way to you."))
    return HttpResponseRedirect(reverse("authz:passkeys"))


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in()
def confirm(request: HttpRequest, login: Login, secret: str) -> HttpResponse:
    """Opening the link changes nothing: mail filters open links too."""
    try:
        if request.method != "POST":
            addresses.read_link(user=login.user, secret=secret)
            return render_page(request, "authz/address.html", {"user": login.user})
        addresses.verify_address(user=login.user, secret=secret)
    except RequestGoneError:
        return problem(
            request,
            title=_("This link is over"),
            sentence=_("It was used already, has expired or is another account's. You can have a new one sent."),
            action=(reverse("authz:passkeys"), _("See your account")),
        )
    messages.success(request, _("Your address is confirmed."))
    return HttpResponseRedirect(reverse("authz:passkeys"))


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in(recently=True)
def change(request: HttpRequest, login: Login) -> HttpResponse:
    """Asks for another address; whether somebody has it already is not told."""
    form = ChangeAddressForm(request.POST or None)
    context = {"form": form, "user": login.user}
    if request.method != "POST" or not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render_page(request, "authz/change_address.html", context, status=status)
    email = form.cleaned_data["email"]
    try:
        address_changes.ask_for_change(user=login.user, email=email, password=form.cleaned_data["password"])
    except (WrongFactorError, ThrottledError) as error:
        context |= {"form": ChangeAddressForm(initial={"email": email}), "message": explain(error)}
        return render_page(request, "authz/change_address.html", context, status=error_status(error))
    messages.success(request, _("A link is on its way to the new address. Until it is opened nothing is changed."))
    return HttpResponseRedirect(reverse("authz:passkeys"))


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in()
def confirm_change(request: HttpRequest, login: Login, secret: str) -> HttpResponse:
    """Opening the link changes nothing here either."""
    try:
        if request.method != "POST":
            change_ = address_changes.read_change(user=login.user, secret=secret)
            context = {"user": login.user, "change": change_}
            return render_page(request, "authz/confirm_address.html", context)
        address_changes.confirm_change(user=login.user, secret=secret, visitor=browser.visitor(request))
    except RequestGoneError:
        return _over(request)
    messages.success(request, _("Your account has its new address."))
    return HttpResponseRedirect(reverse("authz:passkeys"))


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def undo_change(request: HttpRequest, secret: str) -> HttpResponse:
    """The way back, for whoever reads the old mailbox and has a second factor of the account."""
    try:
        change_ = address_changes.read_undo(secret=secret)
        context = {"change": change_}
        if request.method != "POST":
            return second_factor_page(request, "authz/undo_address.html", UNDO, change_.user, context)
        verified = take_second_factor(request, UNDO, change_.user)
        address_changes.undo_change(change=change_, verified=verified, visitor=browser.visitor(request))
    except RequestGoneError:
        return _over(request)
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return second_factor_page(request, "authz/undo_address.html", UNDO, change_.user, context, error)
    browser.end_ceremony(request)
    messages.success(request, _("Your account has its old address again. Every session was ended."))
    return HttpResponseRedirect(reverse("authz:login"))


def _over(request: HttpRequest) -> HttpResponse:
    return problem(
        request,
        title=_("This link is over"),
        sentence=_("It was used already, has expired, or the address cannot be had. Nothing was changed."),
        action=(reverse("authz:passkeys"), _("See your account")),
    )
