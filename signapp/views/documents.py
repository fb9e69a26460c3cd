"""The documents: the list with its upload, one document, and the parts of both that refresh themselves."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from signapp import errors
from signapp.error_responses import Explanation, explain
from signapp.forms import SignatureForm, UploadForm
from signapp.models import Document
from signapp.services import certificates as certificate_service
from signapp.services import documents as document_service
from signapp.services import logins, signing
from signapp.services.batches import gathering
from signapp.views.batch_wording import describe_open
from signapp.views.filling import describe_filling, signature_form
from signapp.views.pages import Signer, logged_in, provider_name, render_page
from signapp.views.wording import MOVING, describe_certificate, describe_document, describe_request, write_size

_REFUSED = (
    errors.DocumentRefusedError,
    errors.TooManyPasswordsError,
    errors.LibraryFullError,
    errors.ServiceUnavailableError,
    errors.StorageFullError,
)
# What a multipart body holds beside the file.
_FORM_OVERHEAD = 64 * 1024


@dataclass(frozen=True)
class Certificates:
    """The signer's certificates as pages show them, or why they cannot be shown now."""

    all: list[dict[str, Any]]
    problem: Explanation | None = None

    @property
    def usable(self) -> list[dict[str, Any]]:
        return [certificate for certificate in self.all if certificate["can_sign"]]

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(certificate["id"], certificate["choice"]) for certificate in self.usable]


def read_certificates(signer: Signer) -> Certificates:
    """A signing service that does not answer takes nothing away from the page but the certificates."""
    try:
        found = certificate_service.list_certificates(token=signer.token)
    except errors.ServiceUnavailableError as error:
        return Certificates([], explain(error))
    return Certificates([describe_certificate(certificate) for certificate in found])


def read_requests(signer: Signer) -> list[dict[str, Any]]:
    """Requests without a certificate; none if the signing service does not answer."""
    try:
        return [describe_request(item) for item in certificate_service.list_requests(token=signer.token)]
    except errors.ServiceUnavailableError:
        return []


@csrf_exempt  # the body is parsed in `_upload`, which checks the token, not before who sends it and how much is known
@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def documents(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    if request.method != "POST":
        return _list_page(request, signer, UploadForm())
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_DOCUMENT_BYTES + _FORM_OVERHEAD:
        return _refused(request, signer, errors.DocumentTooLargeError())
    return _upload(request, signer)


@csrf_protect
def _upload(request: HttpRequest, signer: Signer) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list_page(request, signer, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    upload = form.cleaned_data["document"]
    try:
        document = document_service.add_document(
            account=signer.account,
            token=signer.token,
            upload=upload,
            name=upload.name,
            size=upload.size,
            **form.wish,
        )
    except _REFUSED as error:
        return _refused(request, signer, error)
    location = reverse("signapp:document", args=[document.pk])
    if _wants_json(request):
        return JsonResponse({"location": location}, status=HTTPStatus.CREATED)
    return HttpResponseRedirect(location)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _refused(request: HttpRequest, signer: Signer, error: errors.SignappError) -> HttpResponse:
    """What is wrong, in words beside the field."""
    explanation = explain(error)
    if _wants_json(request):
        body = {"error": explanation.code, "error_description": explanation.sentence}
        return JsonResponse(body, status=explanation.status)
    form = UploadForm({})
    form.errors.clear()
    form.add_error("document", explanation.sentence)
    form.refusal = explanation.code
    return _list_page(request, signer, form, status=explanation.status)


def _list_page(request: HttpRequest, signer: Signer, form: UploadForm, status: int = HTTPStatus.OK) -> HttpResponse:
    found = document_service.list_documents(account=signer.account)
    limit = settings.MAX_DOCUMENT_BYTES
    context: dict[str, Any] = {
        "section": "documents",
        "account": signer.account,
        "documents": [describe_document(document) for document in found],
        "waiting": gathering.waiting(account=signer.account).count(),
        "open_batches": [describe_open(batch) for batch in gathering.list_open(account=signer.account)],
        "form": form,
        "max_bytes": limit,
        "max_label": write_size(limit),
    }
    if not any(document.state == "signed" for document in found):
        certificates = read_certificates(signer)
        context["steps"] = _first_steps(certificates, found)
        context["certificate_problem"] = certificates.problem
    return render_page(request, "signapp/documents.html", context, status=status)


def _first_steps(certificates: Certificates, found: list[Document]) -> list[dict[str, Any]]:
    """The way to the first signature, with the next thing to do."""
    if settings.EXTERNAL_ISSUER:
        return _first_steps_elsewhere(certificates, found)
    has_certificate = bool(certificates.usable)
    newest = reverse("signapp:document", args=[found[0].pk]) if found else "#upload"
    return [
        {"label": _("Create your account"), "state": "done"},
        {"label": _("Add a passkey"), "state": "done"},
        {
            "label": _("Get your certificate"),
            "state": "done" if has_certificate else "current",
            "note": "" if has_certificate else _("It puts your name into every signature you make."),
            "href": "" if certificates.problem else certificate_url(reverse("signapp:documents")),
            "action": _("Get your certificate"),
            "icon": "certificate",
        },
        {
            "label": _("Sign your first document"),
            "state": "current" if has_certificate else "todo",
            "note": _("Read it, prepare it, and approve it with your password and passkey."),
            "href": newest,
            "action": _("Read and sign") if found else _("Upload a document"),
            "icon": "sign" if found else "upload",
        },
    ]


def _first_steps_elsewhere(certificates: Certificates, found: list[Document]) -> list[dict[str, Any]]:
    """Likewise where another provider has the accounts, and operators make certificates."""
    has_certificate = bool(certificates.usable)
    return [
        {"label": _("Log in"), "state": "done"},
        {
            "label": _("Have your certificate made"),
            "state": "done" if has_certificate else "current",
            "note": "" if has_certificate else _("An operator makes it. They need your identifier."),
            "href": "" if certificates.problem else reverse("signapp:account"),
            "action": _("Show your identifier"),
            "icon": "person",
        },
        {
            "label": _("Sign your first document"),
            "state": "current" if has_certificate else "todo",
            "note": _("Read it, prepare it, and log in once more to sign it."),
            "href": reverse("signapp:document", args=[found[0].pk]) if found else "#upload",
            "action": _("Read and sign") if found else _("Upload a document"),
            "icon": "sign" if found else "upload",
        },
    ]


def certificate_url(next_path: str) -> str:
    return f"{reverse('signapp:new_certificate')}?{urlencode({'next': next_path})}"


def _refreshed(signer: Signer, document_id: UUID) -> Document:
    """The document as it stands now; where something is under way, the gateway is asked."""
    document = document_service.find_document(account=signer.account, document_id=document_id)
    if document.state not in MOVING:
        return document
    try:
        return signing.refresh_document(account=signer.account, token=signer.token, document_id=document_id)
    except errors.ServiceUnavailableError:
        return document


@require_safe
@logged_in
def document(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """The reader, and beside it what is to be signed and how far it is."""
    found = _refreshed(signer, document_id)
    return document_page(request, found, _needed_certificates(signer, found))


def _needed_certificates(signer: Signer, found: Document) -> Certificates:
    return read_certificates(signer) if found.state in {"ready", "failed"} else Certificates([])


def document_page(
    request: HttpRequest,
    document: Document,
    certificates: Certificates,
    *,
    form: SignatureForm | None = None,
    problem: Explanation | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The page in any state; ``problem`` is what the last step met."""
    context = _state_context(request, document, certificates, form, problem)
    return render_page(request, "signapp/document.html", context, status=status)


def _state_context(
    request: HttpRequest,
    document: Document,
    certificates: Certificates,
    form: SignatureForm | None = None,
    problem: Explanation | None = None,
) -> dict[str, Any]:
    choices = certificates.choices
    can_prepare = bool(choices) and document.state in {"ready", "failed"}
    account = logins.read_account(session=request.session)
    if account is None:
        raise errors.LoginRequiredError
    form = (form or signature_form(account, document, choices)) if can_prepare else None
    return {
        "document": describe_document(document),
        "form": form,
        "filled": describe_filling(account, document, form),
        "only_certificate": certificates.usable[0] if len(choices) == 1 else None,
        "certificate_problem": certificates.problem,
        "needs_certificate": not choices and document.state in {"ready", "failed"},
        "certificate_url": certificate_url(reverse("signapp:document", args=[document.pk])),
        "problem": problem,
        "approving_text": _approving_text(),
    }


def _approving_text() -> str:
    if provider := provider_name():
        return _("Nothing is signed before you log in at %(provider)s once more.") % {"provider": provider}
    return _("Nothing is signed before you approve with your password and passkey.")


@require_safe
@logged_in
def state(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """The panel again, if it has changed since ``seen``; else nothing, so that nothing moves or is read out twice."""
    found = _refreshed(signer, document_id)
    if found.state == request.GET.get("seen"):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    context = _state_context(request, found, _needed_certificates(signer, found))
    return render_page(request, "signapp/state.html", context)


@require_safe
@logged_in
def row(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """The list's row of one document, likewise."""
    found = _refreshed(signer, document_id)
    if found.state == request.GET.get("seen"):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render_page(request, "signapp/_row.html", {"document": describe_document(found)})


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def delete(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """Asks first; the list asks in a dialog instead."""
    found = document_service.find_document(account=signer.account, document_id=document_id)
    if request.method != "POST":
        return render_page(request, "signapp/delete.html", {"document": describe_document(found)})
    name = describe_document(found)["name"]
    document_service.delete_document(account=signer.account, token=signer.token, document_id=document_id)
    messages.success(request, _("%(name)s is deleted.") % {"name": name})
    return HttpResponseRedirect(reverse("signapp:documents"))
