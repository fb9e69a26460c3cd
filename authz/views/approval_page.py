"""The page on which a signer approves: what is asked in full, then password and passkey."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from authz.approval import format_fingerprint
from authz.authorization_details import CredentialAuthorization, CredentialCreation, CredentialDeletion, PasskeyBinding
from authz.errors import AuthzError, ThrottledError
from authz.forms import ApprovalForm
from authz.models import BackchannelRequest, Consent
from authz.services import consents
from authz.services.logins import Login
from authz.views.pages import key_algorithm_name, render_page, revocation_reason_name, visible_text

_TEMPLATES = {
    CredentialAuthorization: "authz/approve.html",
    CredentialCreation: "authz/create_credential.html",
    CredentialDeletion: "authz/delete_credential.html",
    PasskeyBinding: "authz/bind_passkey.html",
}


def approval_page(
    request: HttpRequest,
    pending: Consent,
    login: Login,
    message: str = "",
    error: AuthzError | None = None,
    asked: BackchannelRequest | None = None,
) -> HttpResponse:
    """What is asked, by whom, and the form for both factors. ``asked`` is there where it was asked out of band."""
    page = consents.prepare_approval(consent=pending, user=login.user)
    context = {
        "consent": pending,
        "client": asked.on_behalf_of if asked else pending.application,
        "asked": asked,
        "binding_message": visible_text(asked.binding_message) if asked else "",
        "page": page,
        "details": page.details,
        "message": message,
        "user": login.user,
        "form": ApprovalForm(),
        "options": [
            {"passkey": passkey.pk, "name": passkey.name, "options": options} for passkey, options in page.choices
        ],
    }
    if isinstance(page.details, CredentialAuthorization):
        context["credential_label"] = visible_text(page.details.credential_label)
        context["documents"] = [
            {"label": visible_text(item.label), "fingerprint": format_fingerprint(item.digest), "link": link}
            for item, link in zip(page.details.document_digests, page.details.links, strict=True)
        ]
    elif isinstance(page.details, CredentialDeletion):
        context["revocation_reason"] = revocation_reason_name(page.details.revocation_reason)
    elif isinstance(page.details, PasskeyBinding):
        context["credential_label"] = visible_text(page.details.credential_label)
    else:
        context["policy"] = visible_text(page.details.certificate_policy)
        context["key_algorithm"] = key_algorithm_name(page.details.key_algorithm)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if message else HTTPStatus.OK
    if isinstance(error, ThrottledError):
        status = HTTPStatus.TOO_MANY_REQUESTS
    return render_page(request, _TEMPLATES[type(page.details)], context, status=status)
