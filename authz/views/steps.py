"""A page that asks for a second factor beside a mailed link: a passkey's prompt, or a recovery code typed in."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from authz.errors import AuthzError, ThrottledError
from authz.forms import SecondFactorForm
from authz.models import User
from authz.services import passkeys, second_factors
from authz.services.second_factors import VerifiedSecondFactor
from authz.views import browser
from authz.views.pages import render_page
from authz.views.problems import explain


def second_factor_page(
    request: HttpRequest,
    template: str,
    purpose: str,
    user: User,
    context: dict[str, Any],
    error: AuthzError | None = None,
    *,
    is_wrong: bool = False,
) -> HttpResponse:
    """The page with a new challenge. ``is_wrong``: a field of the form is, and the page says which."""
    challenge = passkeys.create_challenge()
    browser.keep_ceremony(request, purpose, challenge, user=user.pk)
    held = list(user.passkeys.all())
    shown = {
        "email": user.email,
        "message": explain(error) if error else "",
        "has_passkeys": bool(held),
        "options": [{"options": passkeys.write_assertion_options(challenge=challenge, passkeys=held)}],
        "code_form": SecondFactorForm(),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error or is_wrong else HTTPStatus.OK
    if isinstance(error, ThrottledError):
        status = HTTPStatus.TOO_MANY_REQUESTS
    return render_page(request, template, shown | context, status=status)


def take_second_factor(request: HttpRequest, purpose: str, user: User) -> VerifiedSecondFactor:
    """What was posted, verified over the challenge of the page, which is used up.

    Raises `StaleApprovalError`, `ThrottledError` or `WrongFactorError`.
    """
    challenge, _kept = browser.take_challenge(request, purpose)
    form = SecondFactorForm(request.POST)
    given = form.cleaned_data if form.is_valid() else {}
    return second_factors.verify_second_factor(
        user=user,
        response=given.get("response", ""),
        code=given.get("code", ""),
        challenge=challenge,
        visitor=browser.visitor(request),
    )
