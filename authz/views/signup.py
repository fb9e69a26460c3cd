"""A new account in two steps, account and then passkey; an invited operator's begins at a link."""

import uuid
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authz import tasks
from authz.decorators import no_store
from authz.errors import (
    AddressTakenError,
    AuthzError,
    PasskeyRefusedError,
    RequestGoneError,
    StaleApprovalError,
    ThrottledError,
)
from authz.factors.interface import VerifiedRegistration
from authz.forms import EmailForm, LinkedSignUpForm, PasskeyForm, PasswordForm, SignUpForm
from authz.models import Passkey, User
from authz.services import accounts, addresses, passkeys, sign_up_links, throttling
from authz.services.secrets import checksum
from authz.views import browser
from authz.views.login import error_status
from authz.views.pages import render_page
from authz.views.problems import explain, problem

SIGN_UP = "sign-up"


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def signup(request: HttpRequest) -> HttpResponse:
    """Step one. Nothing is kept outside this browser's session until the passkey is enrolled."""
    next_path = browser.safe_next(request, request.GET.get("next"))
    if sign_up_links.is_needed():
        return _ask_for_address(request, next_path)
    if request.method != "POST":
        return render_page(request, "authz/signup.html", {"form": SignUpForm(), "next": next_path})
    form = SignUpForm(request.POST)
    context: dict[str, Any] = {"form": form, "next": next_path}
    if not form.is_valid():
        return render_page(request, "authz/signup.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        throttling.count_sign_up(address=browser.client_address(request))
    except ThrottledError as error:
        context["message"] = explain(error)
        return render_page(request, "authz/signup.html", context, status=error_status(error))
    return _begin(request, form, email=form.cleaned_data["email"], next_path=next_path)


def _begin(
    request: HttpRequest, form: SignUpForm, *, email: str, next_path: str, link: int | None = None
) -> HttpResponse:
    request.session.cycle_key()
    browser.keep_ceremony(
        request,
        SIGN_UP,
        passkeys.create_challenge(),
        sub=str(uuid.uuid4()),
        email=email,
        name=form.cleaned_data["name"],
        password=accounts.hash_password(password=form.cleaned_data["password"]),
        next=next_path,
        invitation=None,
        link=link,
    )
    return HttpResponseRedirect(reverse("authz:signup_passkey"))


def _ask_for_address(request: HttpRequest, next_path: str) -> HttpResponse:
    """The answer is one for every address; whether there is an account is looked up elsewhere, and told by mail."""
    form = EmailForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "next": next_path}
    if request.method != "POST":
        return render_page(request, "authz/signup_link.html", context)
    if not form.is_valid():
        return render_page(request, "authz/signup_link.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        throttling.count_sign_up(address=browser.client_address(request))
    except ThrottledError as error:
        context["message"] = explain(error)
        return render_page(request, "authz/signup_link.html", context, status=error_status(error))
    email = form.cleaned_data["email"]
    tasks.send_sign_up_link.delay(email, next_path, checksum(browser.browser_binding(request)), get_language() or "")
    return render_page(request, "authz/signup_sent.html", {"email": email})


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def signup_by_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Step one of somebody who came by the link. Another browser than the one that asked goes on to the account, since
    what waits for the answer waits in that one."""
    try:
        link = sign_up_links.read_link(secret=secret)
    except RequestGoneError:
        return _link_over(request)
    form = LinkedSignUpForm(request.POST if request.method == "POST" else None, for_email=link.email)
    if request.method != "POST" or not form.is_valid():
        context = {"form": form, "email": link.email}
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render_page(request, "authz/signup_linked.html", context, status=status)
    is_same = link.browser == checksum(browser.known_binding(request) or "")
    next_path = link.next if is_same else reverse("authz:passkeys")
    return _begin(request, form, email=link.email, next_path=next_path, link=link.pk)


def _link_over(request: HttpRequest) -> HttpResponse:
    return problem(
        request,
        title=_("This link is over"),
        sentence=_("It was used already or has expired. Ask for a new one."),
        action=(reverse("authz:signup"), _("Create your account")),
    )


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Step one of an invited operator: the password."""
    try:
        invited = accounts.read_invitation(secret=secret)
    except RequestGoneError:
        return problem(
            request,
            title=_("This link is over"),
            sentence=_("It was used already or has expired. Ask for a new one."),
            action=(reverse("authz:login"), _("Log in")),
        )
    form = PasswordForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render_page(request, "authz/invitation.html", {"form": form, "invited": invited.user}, status=status)
    request.session.cycle_key()
    browser.keep_ceremony(
        request,
        SIGN_UP,
        passkeys.create_challenge(),
        sub=str(invited.user.sub),
        email=invited.user.email,
        name=invited.user.name,
        password=accounts.hash_password(password=form.cleaned_data["password"]),
        next=reverse("admin:index"),
        invitation=invited.pk,
        link=None,
    )
    return HttpResponseRedirect(reverse("authz:signup_passkey"))


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def signup_passkey(request: HttpRequest) -> HttpResponse:
    """Step two: the first passkey, and with it the account."""
    kept = browser.read_ceremony(request, SIGN_UP)
    if kept is None:
        return HttpResponseRedirect(reverse("authz:signup"))
    if request.method != "POST":
        return _passkey_page(request, kept)
    form = PasskeyForm(request.POST)
    try:
        challenge, kept = browser.take_challenge(request, SIGN_UP)
        response = form.cleaned_data["response"] if form.is_valid() else ""
        registration = passkeys.verify_registration(response=response, challenge=challenge)
        user, passkey = _enrol(kept, registration, form.cleaned_data.get("name", ""))
    except AddressTakenError as error:
        browser.end_ceremony(request)
        return problem(
            request,
            title=_("You have an account already"),
            sentence=explain(error),
            action=(browser.login_url(kept["next"]), _("Log in")),
        )
    except (PasskeyRefusedError, StaleApprovalError) as error:
        return _passkey_page(request, kept, error)
    except RequestGoneError as error:
        return problem(request, title=_("This link is over"), sentence=str(error))
    browser.end_ceremony(request)
    if not user.is_email_verified:
        addresses.send_first_link(user=user)
    methods = accounts.authentication_methods(passkey=passkey)
    return browser.log_in(request, accounts.VerifiedLogin(user, passkey, methods), kept["next"])


def _enrol(kept: dict[str, Any], registration: VerifiedRegistration, name: str) -> tuple[User, Passkey]:
    if kept["invitation"]:
        return accounts.accept_invitation(
            invitation_id=kept["invitation"],
            password_hash=kept["password"],
            registration=registration,
            passkey_name=name,
        )
    return accounts.sign_up(
        sub=uuid.UUID(kept["sub"]),
        email=kept["email"],
        name=kept["name"],
        password_hash=kept["password"],
        registration=registration,
        passkey_name=name,
        link_id=kept["link"],
        language=get_language() or "",
    )


def _passkey_page(request: HttpRequest, kept: dict[str, Any], error: AuthzError | None = None) -> HttpResponse:
    challenge = passkeys.create_challenge()
    values = {name: value for name, value in kept.items() if name not in {"purpose", "challenge", "time"}}
    browser.keep_ceremony(request, SIGN_UP, challenge, **values)
    options = passkeys.write_registration_options(
        challenge=challenge, sub=uuid.UUID(kept["sub"]), email=kept["email"], name=kept["name"]
    )
    context = {
        "email": kept["email"],
        "next": kept["next"],
        "message": explain(error) if error else "",
        "options": [{"options": options}],
    }
    status = error_status(error) if error else HTTPStatus.OK
    return render_page(request, "authz/signup_passkey.html", context, status=status)
