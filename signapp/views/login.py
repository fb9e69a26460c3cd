"""Logging in at the authorization server, coming back, and logging out."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from signapp import errors
from signapp.decorators import no_store
from signapp.services import ended_logins, logins
from signapp.views.home import stop
from signapp.views.pages import answered, render_page, safe_next


@answered
@require_GET
def login(request: HttpRequest) -> HttpResponse:
    return _begin(request, sign_up=False)


@answered
@require_GET
def signup(request: HttpRequest) -> HttpResponse:
    return _begin(request, sign_up=True)


def _begin(request: HttpRequest, *, sign_up: bool) -> HttpResponse:
    next_path = safe_next(request.GET.get("next"))
    return HttpResponseRedirect(logins.begin_login(session=request.session, next_path=next_path, sign_up=sign_up))


@answered
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """The authorization server's answer. Whatever comes of it, the browser goes on to an address without the code."""
    try:
        next_path = logins.complete_login(
            session=request.session,
            state=request.GET.get("state", ""),
            code=request.GET.get("code", ""),
            iss=request.GET.get("iss", ""),
            error=request.GET.get("error", ""),
        )
    except errors.SignappError as error:
        return stop(request, error, next_path=reverse("signapp:login"), label=_("Log in"))
    return HttpResponseRedirect(safe_next(next_path))


@no_store
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    elsewhere = logins.end_login(session=request.session)
    return HttpResponseRedirect(elsewhere or reverse("signapp:logged_out"))


@csrf_exempt
@no_store
@require_POST
def backchannel_logout(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8: the authorization server's own call, no browser's."""
    try:
        ended_logins.end_logins(logout_token=request.POST.get("logout_token", ""))
    except errors.LogoutNotVerifiedError as error:
        return JsonResponse({"error": "invalid_request", "error_description": str(error)}, status=400)
    except errors.AuthorizationServerUnavailableError:
        return JsonResponse({"error": "temporarily_unavailable"}, status=503)
    return HttpResponse()


@no_store
@require_safe
def logged_out(request: HttpRequest) -> HttpResponse:
    return render_page(request, "signapp/logged_out.html")
