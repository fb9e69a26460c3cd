"""The account's e-mail address: having a link sent, and confirming the address with it."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from authz.errors import RequestGoneError, ThrottledError
from authz.services import addresses
from authz.services.logins import Login
from authz.views.account import logged_in
from authz.views.pages import render_page
from authz.views.problems import explain, problem


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
