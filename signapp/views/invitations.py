"""The mailed link: who it is for is shown masked, what it is about only to the account that it is for."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from signapp import errors
from signapp.error_responses import explain
from signapp.services import logins
from signapp.services.envelopes import invitations, notices
from signapp.views.pages import answered, render_page
from signapp.views.wording import visible_text


@answered
@require_safe
def invitation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Opening it changes something only for whoever is logged in with the invited address: mail filters open links."""
    account = logins.read_account(session=request.session)
    here = urlencode({"next": request.path})
    context: dict[str, Any] = {
        "secret": secret,
        "account": account,
        "login_url": f"{reverse('signapp:login')}?{here}",
        "signup_url": f"{reverse('signapp:signup')}?{here}",
    }
    try:
        if account is None:
            found = invitations.preview(secret=secret)
            context |= {"sender": visible_text(found.sender), "address": found.address}
            return render_page(request, "signapp/invitation.html", context)
        token = logins.service_token(session=request.session)
        envelope = invitations.claim(account=account, token=token, secret=secret)
    except errors.InvitationError as error:
        explanation = explain(error)
        context |= {"problem": explanation, "can_renew": error.code == "invitation_expired"}
        return render_page(request, "signapp/invitation_problem.html", context, status=explanation.status)
    return HttpResponseRedirect(reverse("signapp:envelope", args=[envelope.pk]))


@answered
@require_POST
def renew(request: HttpRequest, secret: str) -> HttpResponseBase:
    """A new link, to the address that was invited and nowhere else."""
    invitations.ask_for_link(secret=secret)
    notices.ring()
    messages.success(request, _("If this link was ever good, a new one is on its way to the invited address."))
    return HttpResponseRedirect(reverse("signapp:home"))
