"""Who is logged in and what this person signs with. Passkeys and sessions are the authorization server's pages."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from signapp.views.documents import certificate_url, read_certificates, read_requests
from signapp.views.pages import PASSKEYS_URL, SESSIONS_URL, Signer, logged_in, render_page


@require_safe
@logged_in
def account(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    certificates = read_certificates(signer)
    requests = [] if certificates.problem else read_requests(signer)
    context = {
        "section": "account",
        "account": signer.account,
        "certificates": certificates.all,
        "requests": requests,
        "certificate_problem": certificates.problem,
        "certificate_url": certificate_url(reverse("signapp:account")),
        "passkeys_url": PASSKEYS_URL,
        "sessions_url": SESSIONS_URL,
    }
    return render_page(request, "signapp/account.html", context)
