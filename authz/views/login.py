"""Logging in, password first and then passkey, and logging out."""

from http import HTTPStatus

from django.contrib.auth import logout as end_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from authz.decorators import no_store
from authz.errors import AuthzError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import LoginForm, PasskeyForm
from authz.models import User
from authz.services import accounts, passkeys
from authz.views import browser
from authz.views.pages import render_page
from authz.views.problems import explain

LOGIN = "login"


def error_status(error: AuthzError) -> HTTPStatus:
    """A page that says what did not fit is not a success."""
    return HTTPStatus.TOO_MANY_REQUESTS if isinstance(error, ThrottledError) else HTTPStatus.UNPROCESSABLE_ENTITY


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """The password. It opens nothing but the next step."""
    next_path = browser.safe_next(request, request.GET.get("next"))
    context = {"next": next_path, "form": LoginForm(initial={"email": request.GET.get("hint", "")})}
    if request.method != "POST":
        return render_page(request, "authz/login.html", context)
    form = LoginForm(request.POST)
    if not form.is_valid():
        return render_page(
            request, "authz/login.html", context | {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    try:
        user = accounts.verify_password(
            email=form.cleaned_data["email"],
            password=form.cleaned_data["password"],
            address=browser.client_address(request),
        )
    except (WrongFactorError, ThrottledError) as error:
        context |= {"form": form, "message": explain(error)}
        return render_page(request, "authz/login.html", context, status=error_status(error))
    request.session.cycle_key()
    browser.keep_ceremony(request, LOGIN, passkeys.create_challenge(), user=user.pk, next=next_path)
    return HttpResponseRedirect(reverse("authz:login_passkey"))


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
            address=browser.client_address(request),
        )
    except (WrongFactorError, StaleApprovalError, ThrottledError) as error:
        return _passkey_page(request, user, kept["next"], error)
    browser.end_ceremony(request)
    browser.keep_login(request, verified)
    return HttpResponseRedirect(kept["next"])


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
    end_login(request)
    return HttpResponseRedirect(reverse("authz:logged_out"))


@no_store
def logged_out(request: HttpRequest) -> HttpResponse:
    return render_page(request, "authz/logged_out.html")
