"""The authorization endpoint: takes the request from the URL, keeps it, and sends the browser on to its consent."""

from http import HTTPStatus
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from authz.decorators import no_store
from authz.error_responses import classify
from authz.errors import (
    AuthzError,
    ConsentRequiredError,
    LoginRequiredError,
    RequestGoneError,
    UntrustedRequestError,
)
from authz.models import Consent, Face
from authz.models.faces import FACE
from authz.services import consents
from authz.services.authorization_requests import AuthorizationRequest, RefusedRequestError, keep_request, take_request
from authz.services.grants import write_redirect
from authz.views.browser import browser_binding, read_login
from authz.views.languages import keep_language, speak
from authz.views.problems import request_gone


class ClientRedirect(HttpResponseRedirect):
    """Back to a client whose redirect URI was compared character by character."""

    def __init__(self, redirect_to: str) -> None:
        self.allowed_schemes = [redirect_to.partition(":")[0]]
        super().__init__(redirect_to)


@csrf_exempt
@no_store
@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """RFC 6749, section 3.1. After this redirect no digest, label or token stands in any URL."""
    if request.method == "POST":
        return _forward_form(request)
    pairs = [(name, str(value)) for name, values in request.GET.lists() for value in values]
    speak(request, dict(pairs))
    try:
        asked = take_request(parameters=pairs, face=request.META.get(FACE, Face.OAUTH))
    except RefusedRequestError as refused:
        return refuse(refused.error, redirect_uri=refused.redirect_uri, state=refused.state)
    except (UntrustedRequestError, RequestGoneError) as error:
        return request_gone(request, error)
    consent = consents.open_consent(request=asked, browser=browser_binding(request))
    if "none" in asked.prompt:
        return _answer_silently(request, asked, consent)
    return keep_language(HttpResponseRedirect(reverse("authz:consent", args=[consent.pk])), asked.language)


def _forward_form(request: HttpRequest) -> HttpResponse:
    """A form from another site (OpenID Connect Core, 3.1.2.1) comes without the session's cookie, which stays as it is:
    the browser is sent on with a reference to what it brought."""
    pairs = [(name, str(value)) for name, values in request.POST.lists() for value in values]
    speak(request, dict(pairs))
    try:
        client_id, request_uri = keep_request(parameters=pairs)
    except RefusedRequestError as refused:
        return refuse(refused.error, redirect_uri=refused.redirect_uri, state=refused.state)
    except (UntrustedRequestError, RequestGoneError) as error:
        return request_gone(request, error)
    query = urlencode({"client_id": client_id, "request_uri": request_uri})
    return HttpResponseRedirect(f"{reverse('authz:authorize')}?{query}", status=HTTPStatus.SEE_OTHER)


def refuse(error: AuthzError, *, redirect_uri: str, state: str | None) -> HttpResponse:
    """The error at the client's redirect URI (RFC 6749, section 4.1.2.1), with ``iss``."""
    parameters = {"error": classify(error)[1], "error_description": str(error)}
    return ClientRedirect(write_redirect(redirect_uri=redirect_uri, state=state, parameters=parameters))


def _answer_silently(request: HttpRequest, asked: AuthorizationRequest, consent: Consent) -> HttpResponse:
    """``prompt=none``: only access to the account, only for a client that needs no consent, only when logged in."""
    login = read_login(request)
    error: AuthzError
    if asked.details is not None or not asked.application.skip_authorization:
        error = ConsentRequiredError("This needs the user's consent.")
    elif login is None or not consents.is_login_recent_enough(consent=consent, auth_time=login.auth_time):
        error = LoginRequiredError("Nobody is logged in.")
    else:
        return HttpResponseRedirect(reverse("authz:consent", args=[consent.pk]))
    return refuse(error, redirect_uri=asked.redirect_uri, state=asked.state)
