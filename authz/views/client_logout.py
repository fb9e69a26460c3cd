"""The end of a session that a client asks for (OpenID Connect RP-Initiated Logout 1.0)."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from authz.decorators import no_store
from authz.errors import UntrustedRequestError
from authz.services.languages import find_asked_language
from authz.services.logouts import read_logout_request
from authz.views import browser
from authz.views.authorize import ClientRedirect
from authz.views.languages import keep_language, speak
from authz.views.login import say_logged_out
from authz.views.pages import render_page
from authz.views.problems import request_gone


@csrf_exempt
@no_store
@require_http_methods(["GET", "POST"])
def end_session(request: HttpRequest) -> HttpResponse:
    """Ends this browser's session without a question only where the client holds an ID token of the very person who is
    logged in: any page can send a browser here. Nobody else's session ends by it, and no address is gone to that the
    client did not register."""
    asked = request.POST if request.method == "POST" else request.GET
    speak(request, asked.dict())
    names = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
    hint, client_id, redirect_uri, state = (asked.get(name, "") for name in names)
    try:
        wanted = read_logout_request(hint=hint, client_id=client_id, redirect_uri=redirect_uri, state=state)
    except UntrustedRequestError as error:
        return request_gone(request, error)
    login = browser.read_login(request)
    if login is not None and wanted.subject != str(login.user.sub):
        return render_page(request, "authz/logout.html", {"email": login.user.email})
    frames = browser.end_login(request)
    if frames:
        return say_logged_out(request, frames, wanted.destination)
    if wanted.destination:
        return ClientRedirect(wanted.destination)
    return keep_language(HttpResponseRedirect(reverse("authz:logged_out")), find_asked_language(asked.dict()))
