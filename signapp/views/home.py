"""The first page that a stranger sees, and the page that says why a way through another role ended."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from signapp import errors
from signapp.decorators import no_store
from signapp.error_responses import explain, explanation_of
from signapp.services import logins
from signapp.views.pages import answered, problem, render_page, safe_next

_STOPPED = "stopped"


@no_store
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if logins.read_account(session=request.session) is not None:
        return HttpResponseRedirect(reverse("signapp:documents"))
    return render_page(request, "signapp/home.html", {"trust_url": settings.TRUST_PAGE_URL})


def stop(request: HttpRequest, error: errors.SignappError, *, next_path: str = "", label: str = "") -> HttpResponse:
    """Remembers what ended and goes to its page: a callback's address, with the code in it, is never one to stay at."""
    request.session[_STOPPED] = {"code": explain(error).code, "next": next_path, "label": label}
    return HttpResponseRedirect(reverse("signapp:stopped"))


@answered
@require_safe
def stopped(request: HttpRequest) -> HttpResponseBase:
    """What happened, what it means, what to do. It can be reloaded."""
    kept = request.session.get(_STOPPED)
    if not kept:
        return HttpResponseRedirect(reverse("signapp:home"))
    action = (safe_next(kept["next"]), kept["label"] or _("Go to your documents"))
    response = problem(request, explanation_of(kept["code"]), action=action)
    response.status_code = HTTPStatus.OK
    return response
