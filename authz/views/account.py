"""The account's own pages: passkeys and sessions."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from authz.decorators import no_store
from authz.errors import AuthzError, LastPasskeyError, PasskeyRefusedError, StaleApprovalError
from authz.factors.aaguids import name_authenticator
from authz.forms import PasskeyForm
from authz.services import browser_sessions, events, passkeys, recovery_codes
from authz.services.logins import Login
from authz.views import browser
from authz.views.login import error_status, say_logged_out
from authz.views.pages import render_page
from authz.views.problems import explain

P = ParamSpec("P")
LoggedInView = Callable[Concatenate[HttpRequest, Login, P], HttpResponse]
ADD_PASSKEY = "add-passkey"


def logged_in(*, recently: bool = False) -> Callable[[LoggedInView[P]], Callable[..., HttpResponse]]:
    """Two factors in this session; ``recently``: password and passkey within minutes, else they are asked for first."""

    def decorate(view: LoggedInView[P]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            login = browser.read_login(request)
            if login is None or (recently and not browser.is_recent(login)):
                here = request.get_full_path() if request.method == "GET" else reverse("authz:passkeys")
                return HttpResponseRedirect(browser.login_url(here, confirm=recently))
            return view(request, login, *args, **kwargs)

        return no_store(wrapped)

    return decorate


@require_safe
@logged_in()
def list_passkeys(request: HttpRequest, login: Login) -> HttpResponse:
    return _passkey_list(request, login)


def _passkey_list(request: HttpRequest, login: Login, error: AuthzError | None = None) -> HttpResponse:
    context = {
        "user": login.user,
        "passkeys": [(passkey, name_authenticator(passkey.aaguid)) for passkey in login.user.passkeys.all()],
        "codes_left": recovery_codes.count_left(user=login.user),
        "certificates_url": f"{settings.SIGNAPP_URL}/account",
        "is_only_one": login.user.passkeys.count() == 1,
        "message": explain(error) if error else "",
        "section": "passkeys",
    }
    return render_page(
        request, "authz/passkeys.html", context, status=HTTPStatus.CONFLICT if error is not None else HTTPStatus.OK
    )


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in(recently=True)
def add_passkey(request: HttpRequest, login: Login) -> HttpResponse:
    """A further passkey, right after both factors."""
    if request.method != "POST":
        return _add_page(request, login)
    form = PasskeyForm(request.POST)
    try:
        challenge, _kept = browser.take_challenge(request, ADD_PASSKEY)
        response = form.cleaned_data["response"] if form.is_valid() else ""
        registration = passkeys.verify_registration(response=response, challenge=challenge)
        passkeys.add_passkey(
            user=login.user,
            registration=registration,
            name=form.cleaned_data.get("name", ""),
            visitor=browser.visitor(request),
        )
    except (PasskeyRefusedError, StaleApprovalError) as error:
        return _add_page(request, login, error)
    browser.end_ceremony(request)
    return HttpResponseRedirect(reverse("authz:passkeys"))


def _add_page(request: HttpRequest, login: Login, error: AuthzError | None = None) -> HttpResponse:
    user, challenge = login.user, passkeys.create_challenge()
    browser.keep_ceremony(request, ADD_PASSKEY, challenge)
    options = passkeys.write_registration_options(
        challenge=challenge, sub=user.sub, email=user.email, name=user.name, user=user
    )
    context = {"form": PasskeyForm(), "options": [{"options": options}], "message": explain(error) if error else ""}
    status = error_status(error) if error else HTTPStatus.OK
    return render_page(request, "authz/add_passkey.html", context, status=status)


@require_POST
@logged_in()
def rename_passkey(request: HttpRequest, login: Login, passkey_id: int) -> HttpResponse:
    passkeys.rename_passkey(user=login.user, passkey_id=passkey_id, name=request.POST.get("name", ""))
    return HttpResponseRedirect(reverse("authz:passkeys"))


@require_POST
@logged_in(recently=True)
def remove_passkey(request: HttpRequest, login: Login, passkey_id: int) -> HttpResponse:
    try:
        passkeys.remove_passkey(user=login.user, passkey_id=passkey_id, visitor=browser.visitor(request))
    except LastPasskeyError as error:
        return _passkey_list(request, login, error)
    return HttpResponseRedirect(reverse("authz:passkeys"))


@require_safe
@logged_in()
def list_sessions(request: HttpRequest, login: Login) -> HttpResponse:
    rows = browser_sessions.list_sessions(user=login.user, current_key=request.session.session_key)
    context = {
        "user": login.user,
        "sessions": rows,
        "events": events.list_events(user=login.user),
        "section": "sessions",
    }
    return render_page(request, "authz/sessions.html", context)


@require_POST
@logged_in()
def end_session(request: HttpRequest, login: Login) -> HttpResponse:
    browser_sessions.end_session(
        user=login.user, session_checksum=request.POST.get("session", ""), visitor=browser.visitor(request)
    )
    return HttpResponseRedirect(reverse("authz:sessions"))


@require_POST
@logged_in()
def logout_everywhere(request: HttpRequest, login: Login) -> HttpResponse:
    """Every browser and every client, this one too."""
    frames = browser_sessions.log_out_everywhere(user=login.user, visitor=browser.visitor(request))
    logout(request)
    return say_logged_out(request, frames) if frames else HttpResponseRedirect(reverse("authz:logged_out"))
