"""Pages for what went wrong: a sentence, and a way on."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from authz import errors
from authz.error_responses import classify
from authz.views.pages import render_page


def explain(error: errors.AuthzError) -> str:
    """What a person is told, by what he or she can do about it."""
    match error:
        case errors.ThrottledError():
            minutes = max(1, round(error.retry_after / 60))
            return _("There were too many attempts. Wait %(minutes)d minutes, then try again.") % {"minutes": minutes}
        case errors.WrongFactorError():
            return _("That did not match. Check your password, and use a passkey of this account.")
        case errors.StaleApprovalError():
            return _("This page was open too long or was replaced by a newer one. Nothing was changed; try again.")
        case errors.PasskeyRefusedError():
            return _("This passkey could not be added. It may be enrolled already; try another device or key.")
        case errors.LastPasskeyError():
            return _("This is your only passkey. Add another one before you remove it.")
        case errors.AddressTakenError():
            return _("There is an account with this e-mail address already. Log in instead.")
        case errors.SigningServiceUnavailableError():
            return _("The signing service cannot be reached just now. Nothing was signed; try again in a minute.")
        case errors.TooManyPreparedError():
            return _(
                "Too many certificates wait for your approval. They end within an hour; choose another one or wait."
            )
    return str(error)


def problem(
    request: HttpRequest,
    *,
    title: str,
    sentence: str,
    status: HTTPStatus = HTTPStatus.BAD_REQUEST,
    action: tuple[str, str] | None = None,
) -> HttpResponse:
    """``action`` is an address and what its button says."""
    context = {
        "title": title,
        "sentence": sentence,
        "action": action,
        "reference": getattr(request, "request_id", "-"),
    }
    return render_page(request, "authz/problem.html", context, status=status)


def request_gone(request: HttpRequest, error: errors.AuthzError) -> HttpResponse:
    """An authorization request that cannot be answered here; the browser is sent nowhere."""
    if isinstance(error, errors.RequestGoneError):
        title = _("This request is over")
        sentence = _("It was answered already, has expired or began in another browser. Nothing was signed by it.")
    else:
        title = _("This request cannot be trusted")
        sentence = _("The application that sent you here made a mistake, so you are not sent back to it.")
    return problem(
        request,
        title=title,
        sentence=f"{sentence} {_('Go back to the application and begin again.')}",
        status=classify(error)[0],
    )
