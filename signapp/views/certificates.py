"""A new certificate: what it is, which kind of key, and on to the approval."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from signapp.forms import CertificateForm
from signapp.services import certificates
from signapp.views.pages import Signer, logged_in, render_page, safe_next


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def new(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    if settings.EXTERNAL_ISSUER:
        # An operator makes it; the account's page says so.
        return HttpResponseRedirect(reverse("signapp:account"))
    given = request.POST if request.method == "POST" else request.GET
    next_path = safe_next(given.get("next"))
    form = CertificateForm(request.POST) if request.method == "POST" else CertificateForm()
    if request.method != "POST" or not form.is_valid():
        context = {
            "account": signer.account,
            "form": form,
            "next": next_path,
            "is_demonstration": settings.CERTIFICATE_POLICY == "demonstration",
        }
        status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
        return render_page(request, "signapp/new_certificate.html", context, status=status)
    location = certificates.request_certificate(
        session=request.session,
        account=signer.account,
        token=signer.token,
        key_algorithm=form.cleaned_data["key_algorithm"],
        next_path=next_path,
    )
    return HttpResponseRedirect(location)
