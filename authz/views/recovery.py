"""Recovery codes: made and shown once, and used in place of a passkey, which a new passkey then follows at once."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from authz.decorators import no_store
from authz.errors import AuthzError, PasskeyRefusedError, StaleApprovalError, ThrottledError, WrongFactorError
from authz.forms import CodeForm, PasskeyForm
from authz.models import User
from authz.services import accounts, passkeys, recovering, recovery_codes, second_factors
from authz.services.logins import Login, renew_sid
from authz.views import browser
from authz.views.account import logged_in
from authz.views.login import LOGIN, error_status
from authz.views.pages import render_page
from authz.views.problems import explain

RECOVERY = "recovery"


@require_POST
@logged_in(recently=True)
def make_codes(request: HttpRequest, login: Login) -> HttpResponse:
    """The only answer that ever holds them: not a redirect, and nothing keeps a copy."""
    codes = recovery_codes.create_codes(user=login.user, visitor=browser.visitor(request))
    return render_page(request, "authz/recovery_codes.html", {"codes": codes, "user": login.user})


@require_http_methods(["GET", "HEAD"])
@logged_in(recently=True)
def confirm_codes(request: HttpRequest, login: Login) -> HttpResponse:
    """What new codes mean, and the button."""
    context = {"left": recovery_codes.count_left(user=login.user), "user": login.user}
    return render_page(request, "authz/make_codes.html", context)


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def use_code(request: HttpRequest) -> HttpResponse:
    """After the password, in place of the passkey. The code is used up when the new passkey is there."""
    kept = browser.read_ceremony(request, LOGIN)
    user = User.objects.filter(pk=kept["user"], is_active=True).first() if kept else None
    if kept is None or user is None:
        return HttpResponseRedirect(browser.login_url(request.GET.get("next", "")))
    form = CodeForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render_page(request, "authz/use_code.html", {"form": form, "email": user.email}, status=status)
    try:
        verified = second_factors.verify_second_factor(
            user=user, response="", code=form.cleaned_data["code"], challenge=b"", visitor=browser.visitor(request)
        )
    except (WrongFactorError, ThrottledError) as error:
        sentence = explain(error) if isinstance(error, ThrottledError) else _("That is no unused code of this account.")
        context = {"form": CodeForm(), "email": user.email, "message": sentence}
        return render_page(request, "authz/use_code.html", context, status=error_status(error))
    request.session.cycle_key()
    browser.keep_ceremony(
        request,
        RECOVERY,
        passkeys.create_challenge(),
        user=user.pk,
        code=verified.code_id,
        next=kept["next"],
        password=user.password,
    )
    return HttpResponseRedirect(reverse("authz:recovery_passkey"))


@no_store
@require_http_methods(["GET", "HEAD", "POST"])
def new_passkey(request: HttpRequest) -> HttpResponse:
    """The new passkey, and with it the way in."""
    kept = browser.read_ceremony(request, RECOVERY)
    user = User.objects.filter(pk=kept["user"], is_active=True).first() if kept else None
    if kept is None or user is None or user.password != kept["password"]:
        return HttpResponseRedirect(browser.login_url(""))
    if request.method != "POST":
        return _passkey_page(request, user, kept)
    form = PasskeyForm(request.POST)
    visitor = browser.visitor(request)
    try:
        challenge, kept = browser.take_challenge(request, RECOVERY)
        response = form.cleaned_data["response"] if form.is_valid() else ""
        registration = passkeys.verify_registration(response=response, challenge=challenge)
        passkey = recovering.recover_access(
            user=user,
            code_id=kept["code"],
            registration=registration,
            passkey_name=form.cleaned_data.get("name", ""),
            visitor=visitor,
        )
    except WrongFactorError:
        browser.end_ceremony(request)
        return HttpResponseRedirect(browser.login_url(kept["next"]))
    except (PasskeyRefusedError, StaleApprovalError) as error:
        return _passkey_page(request, user, kept, error)
    browser.end_ceremony(request)
    renew_sid(session=request.session)
    verified = accounts.VerifiedLogin(user, passkey, accounts.authentication_methods(passkey=passkey))
    return browser.log_in(request, verified, kept["next"])


def _passkey_page(
    request: HttpRequest, user: User, kept: dict[str, object], error: AuthzError | None = None
) -> HttpResponse:
    challenge = passkeys.create_challenge()
    began = kept["time"]
    values = {name: value for name, value in kept.items() if name not in {"purpose", "challenge", "time"}}
    browser.keep_ceremony(request, RECOVERY, challenge, **values)
    request.session["ceremony"]["time"] = began
    options = passkeys.write_registration_options(
        challenge=challenge, sub=user.sub, email=user.email, name=user.name, user=user
    )
    context = {
        "email": user.email,
        "form": PasskeyForm(),
        "options": [{"options": options}],
        "message": explain(error) if error else "",
    }
    status = error_status(error) if error else HTTPStatus.OK
    return render_page(request, "authz/recovery_passkey.html", context, status=status)
