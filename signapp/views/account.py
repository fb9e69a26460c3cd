"""Who is logged in and what this person signs with. Passkeys and sessions are the authorization server's pages."""

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from signapp.errors import CertificateNotUsableError
from signapp.services import leaving, passkeys
from signapp.views.documents import certificate_url, read_certificates, read_requests
from signapp.views.pages import Signer, logged_in, render_page


@require_safe
@logged_in
def account(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    certificates = read_certificates(signer)
    requests = [] if certificates.problem else read_requests(signer)
    context = {
        "section": "account",
        "departure": leaving.find_departure(account=signer.account),
        "account": signer.account,
        "certificates": certificates.all,
        "requests": requests,
        "certificate_problem": certificates.problem,
        "certificate_url": certificate_url(reverse("signapp:account")),
    }
    return render_page(request, "signapp/account.html", context)


@require_POST
@logged_in
def change_passkeys(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """On to the authorization server, where the passkey is chosen and the change approved."""
    action = request.POST.get("action", "")
    if action not in passkeys.ACTIONS:
        raise CertificateNotUsableError
    location = passkeys.request_change(
        session=request.session,
        account=signer.account,
        token=signer.token,
        credential_id=request.POST.get("credential_id", "")[:255],
        action=action,
    )
    return HttpResponseRedirect(location)
