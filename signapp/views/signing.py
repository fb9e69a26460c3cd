"""The steps of one signature: prepare, go to the approval, start again."""

from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST

from signapp import errors
from signapp.error_responses import explain
from signapp.services import documents, signing
from signapp.services.envelopes import filling
from signapp.views.documents import document_page, read_certificates
from signapp.views.filling import signature_form
from signapp.views.pages import Signer, logged_in


def _page(document_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("signapp:document", args=[document_id]))


@require_POST
@logged_in
def prepare(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """The document and one certificate become something that can be approved."""
    document = documents.find_document(account=signer.account, document_id=document_id)
    certificates = read_certificates(signer)
    form = signature_form(signer.account, document, certificates.choices, request.POST)
    if form.unknown:
        raise errors.FieldNotFoundError
    if not form.is_valid():
        return document_page(request, document, certificates, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        if form.placed and document.state in {"ready", "failed"}:
            filling.keep_values(account=signer.account, document_id=document_id, values=form.values)
        signing.prepare_signature(
            account=signer.account,
            token=signer.token,
            document_id=document_id,
            credential_id=form.cleaned_data["credential_id"],
            reason=form.cleaned_data["reason"],
        )
    except (errors.DocumentNotFoundError, errors.LoginRequiredError):
        raise
    except errors.SignappError as error:
        explanation = explain(error)
        document = documents.find_document(account=signer.account, document_id=document_id)
        return document_page(request, document, certificates, problem=explanation, status=explanation.status)
    return _page(document_id)


@require_POST
@logged_in
def approve(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """To the approval page. An approval that was asked for before is then worth nothing."""
    try:
        location = signing.begin_approval(
            account=signer.account, token=signer.token, session=request.session, document_id=document_id
        )
    except (errors.DocumentNotFoundError, errors.LoginRequiredError):
        raise
    except errors.SignappError as error:
        explanation = explain(error)
        document = documents.find_document(account=signer.account, document_id=document_id)
        certificates = read_certificates(signer)
        return document_page(request, document, certificates, problem=explanation, status=explanation.status)
    return HttpResponseRedirect(location)


@require_POST
@logged_in
def cancel(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """Back to the document as it was uploaded."""
    signing.cancel_signature(account=signer.account, token=signer.token, document_id=document_id)
    return _page(document_id)
