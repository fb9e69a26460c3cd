"""The page on which a signer chooses the certificate, where an application named a kind of signature alone."""

from datetime import UTC, datetime
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from authz.error_responses import classify
from authz.errors import AuthzError, SigningServiceUnavailableError, StaleApprovalError, TooManyPreparedError
from authz.models import Consent
from authz.services import choosing
from authz.services.logins import Login
from authz.views.pages import render_page, visible_text
from authz.views.problems import explain
from authz.wire import OfferedCredential

CHOOSE, CHOOSE_AGAIN = "choose", "choose-again"


def choice_page(request: HttpRequest, pending: Consent, login: Login, error: AuthzError | None = None) -> HttpResponse:
    """The signer's certificates that fit, or what to do where there are none or nobody can say."""
    offered: list[OfferedCredential] | None = None
    try:
        offered = choosing.list_choices(consent=pending, login=login)
    except SigningServiceUnavailableError as unavailable:
        error = unavailable
    context = {
        "consent": pending,
        "client": pending.application,
        "details": choosing.read_qualified(consent=pending),
        "choices": None if offered is None else [_describe(item) for item in offered],
        "message": explain(error) if error else "",
        "account_url": f"{settings.SIGNAPP_URL}/account",
    }
    status = classify(error)[0] if error else HTTPStatus.OK
    return render_page(request, "authz/choose_credential.html", context, status=status)


def choose(request: HttpRequest, pending: Consent, login: Login) -> HttpResponse:
    """Takes the choice, or takes it back, and shows what follows from it."""
    try:
        if request.POST["answer"] == CHOOSE:
            chosen = request.POST.get("credential", "")
            choosing.choose_credential(consent=pending, login=login, credential_id=chosen)
        else:
            choosing.take_back_choice(consent=pending, login=login)
    except (StaleApprovalError, TooManyPreparedError, SigningServiceUnavailableError) as error:
        return choice_page(request, pending, login, error)
    return HttpResponseRedirect(reverse("authz:consent", args=[pending.pk]))


def _describe(credential: OfferedCredential) -> dict[str, object]:
    return {
        "credential_id": credential.credential_id,
        "label": visible_text(credential.label),
        "subject": visible_text(credential.subject),
        "valid_to": _read_time(credential.valid_to),
        "is_short_lived": credential.is_short_lived,
    }


def _read_time(text: str) -> datetime | None:
    """GeneralizedTime as the CSC API has it."""
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
