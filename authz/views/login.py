"""Logging in, password first and then passkey, and logging out."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from authz.decorators import no_store
from authz.errors import AuthzError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import LoginForm, PasskeyForm
from authz.models import User
from authz.services import accounts, passkeys
from authz.services.ended_logins import Frame
from authz.views import browser
from authz.views.pages import render_page
from authz.views.problems import explain

LOGIN = "login"
PASSKEY_LOGIN = "passkey-login"


def error_status(error: AuthzError) -> HTTPStatus:
    """A page that says what did not fit is not a success."""
    return HTTPStatus.TOO_MANY_REQUESTS if isinstance(error, ThrottledError) else HTTPStatus.UNPROCESSABLE_ENTITY


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """The password, which opens nothing but the next step; or a passkey that the browser offers in its place."""
    next_path = browser.safe_next(request, request.GET.get("next"))
    if request.method != "POST":
        return _login_page(request, next_path, LoginForm(initial={"email": _hint(request)}))
    form = LoginForm(request.POST)
    if not form.is_valid():
        return _login_page(request, next_path, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        user = accounts.verify_password(
            email=form.cleaned_data["email"],
            password=form.cleaned_data["password"],
            visitor=browser.visitor(request),
        )
    except (WrongFactorError, ThrottledError) as error:
        return _login_page(request, next_path, form, error, status=error_status(error))
    request.session.cycle_key()
    browser.keep_ceremony(request, LOGIN, passkeys.create_challenge(), user=user.pk, next=next_path)
    return HttpResponseRedirect(reverse("authz:login_passkey"))


def _hint(request: HttpRequest) -> str:
    """The address that somebody who has to confirm a login has already, or that the client named."""
    known = browser.read_login(request)
    return known.user.email if known is not None else request.GET.get("hint", "")


def _login_page(
    request: HttpRequest,
    next_path: str,
    form: LoginForm,
    error: AuthzError | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    confirms = request.GET.get("confirm") == "1"
    context: dict[str, Any] = {
        "next": next_path,
        "form": form,
        "message": explain(error) if error else "",
        "confirms": confirms,
    }
    if not confirms:
        challenge = passkeys.create_challenge()
        browser.keep_ceremony(request, PASSKEY_LOGIN, challenge)
        context["options"] = [{"options": passkeys.write_assertion_options(challenge=challenge, passkeys=[])}]
    return render_page(request, "authz/login.html", context, status=status)


@no_store
@require_POST
def login_by_passkey(request: HttpRequest) -> HttpResponse:
    """A passkey alone, which names its user. It opens the account's pages; approving and changing how the account is
    entered ask for the password too."""
    next_path = browser.safe_next(request, request.GET.get("next"))
    form = PasskeyForm(request.POST)
    try:
        challenge, _kept = browser.take_challenge(request, PASSKEY_LOGIN)
        verified = accounts.verify_passkey_login(
            response=form.cleaned_data["response"] if form.is_valid() else "",
            challenge=challenge,
            visitor=browser.visitor(request),
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return _login_page(request, next_path, LoginForm(), error, status=error_status(error))
    browser.end_ceremony(request)
    return browser.log_in(request, verified, next_path)


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def login_passkey(request: HttpRequest) -> HttpResponse:
    """The passkey. Each showing has a challenge of its own, and each answer uses it up."""
    kept = browser.read_ceremony(request, LOGIN)
    user = User.objects.filter(pk=kept["user"], is_active=True).first() if kept else None
    if kept is None or user is None:
        return HttpResponseRedirect(browser.login_url(request.GET.get("next", "")))
    if request.method != "POST":
        return _passkey_page(request, user, kept["next"])
    form = PasskeyForm(request.POST)
    try:
        challenge, _kept = browser.take_challenge(request, LOGIN)
        verified = accounts.verify_login(
            user=user,
            response=form.cleaned_data["response"] if form.is_valid() else "",
            challenge=challenge,
            visitor=browser.visitor(request),
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return _passkey_page(request, user, kept["next"], error)
    browser.end_ceremony(request)
    return browser.log_in(request, verified, kept["next"])


def _passkey_page(request: HttpRequest, user: User, next_path: str, error: AuthzError | None = None) -> HttpResponse:
    challenge = passkeys.create_challenge()
    # The clock of the ceremony is not wound again: the password counts for ten minutes.
    began = browser.read_ceremony(request, LOGIN)
    browser.keep_ceremony(request, LOGIN, challenge, user=user.pk, next=next_path)
    if began is not None:
        request.session["ceremony"]["time"] = began["time"]
    context = {
        "email": user.email,
        "next": next_path,
        "message": explain(error) if error else "",
        "options": [
            {"options": passkeys.write_assertion_options(challenge=challenge, passkeys=list(user.passkeys.all()))}
        ],
    }
    status = error_status(error) if error else HTTPStatus.OK
    return render_page(request, "authz/login_passkey.html", context, status=status)


@no_store
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Ends this browser's session."""
    frames = browser.end_login(request)
    return say_logged_out(request, frames) if frames else HttpResponseRedirect(reverse("authz:logged_out"))


@no_store
def logged_out(request: HttpRequest) -> HttpResponse:
    return render_page(request, "authz/logged_out.html")


def say_logged_out(request: HttpRequest, frames: list[Frame], destination: str = "") -> HttpResponse:
    """The page that tells clients in frames (OpenID Connect Front-Channel Logout 1.0, section 3) and goes on to
    ``destination``, a client's registered address, when they have loaded."""
    context = {"frames": frames, "destination": destination}
    response = render_page(request, "authz/logged_out.html", context)
    response._csp_update = {"frame-src": sorted({frame.origin for frame in frames})}  # type: ignore[attr-defined]  # noqa: SLF001  (django-csp's way)
    return response
