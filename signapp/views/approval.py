"""The authorization server's answer to an approval, for a document or for a certificate."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from signapp import errors
from signapp.services import approvals
from signapp.services.certificates import CertificateRequest
from signapp.views.home import stop
from signapp.views.pages import Signer, logged_in, safe_next


@require_GET
@logged_in
def callback(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Whatever comes of it, the browser goes on to an address without the code."""
    try:
        result = approvals.complete(
            session=request.session,
            account=signer.account,
            token=signer.token,
            state=request.GET.get("state", ""),
            code=request.GET.get("code", ""),
            iss=request.GET.get("iss", ""),
            error=request.GET.get("error", ""),
        )
    except errors.LoginRequiredError:
        raise
    except errors.SignappError as error:
        return stop(request, error)
    if result.document is not None:
        return HttpResponseRedirect(reverse("signapp:document", args=[result.document.pk]))
    if result.batch is not None:
        return HttpResponseRedirect(reverse("signapp:batch", args=[result.batch.pk]))
    if result.passkeys is not None:
        sentence = ngettext(
            "%(count)d passkey signs with this certificate now.",
            "%(count)d passkeys sign with this certificate now.",
            result.passkeys,
        )
        messages.success(request, sentence % {"count": result.passkeys})
        return HttpResponseRedirect(reverse("signapp:account"))
    if isinstance(result.certificate, CertificateRequest):
        messages.info(request, _("Your certificate is requested. This page shows where the request stands."))
        return HttpResponseRedirect(reverse("signapp:account"))
    messages.success(request, _("Your certificate is ready."))
    return HttpResponseRedirect(safe_next(result.next_path))
