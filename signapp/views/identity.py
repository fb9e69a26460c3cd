"""On to another OpenID provider, which says who asks for a certificate, and back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from signapp import errors
from signapp.services import identifying
from signapp.views.home import stop
from signapp.views.pages import Signer, logged_in


@require_POST
@logged_in
def identify(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    location = identifying.begin(
        session=request.session,
        account=signer.account,
        token=signer.token,
        credential_id=request.POST.get("credential_id", "")[:255],
    )
    return HttpResponseRedirect(location)


@require_GET
@logged_in
def identified(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Whatever comes of it, the browser goes on to an address without the code."""
    given = {name: request.GET.get(name, "") for name in ("state", "code", "iss", "error")}
    try:
        stands = identifying.complete(session=request.session, account=signer.account, token=signer.token, **given)
    except errors.LoginRequiredError:
        raise
    except errors.SignappError as error:
        return stop(request, error, next_path=reverse("signapp:account"), label=_("Go to your account"))
    if stands.state == "waiting":
        messages.info(
            request, _("Who you are was noted. Somebody looks at it before your name gets into a certificate.")
        )
    else:
        messages.success(request, _("Your request is approved."))
    return HttpResponseRedirect(reverse("signapp:account"))
