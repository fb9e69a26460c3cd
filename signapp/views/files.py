"""The documents themselves. They were made by strangers, so no browser ever opens one as a page of this origin."""

from pathlib import PurePath
from uuid import UUID

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from signapp.services import documents
from signapp.views.pages import Signer, logged_in
from signapp.views.wording import visible_text


@require_safe
@logged_in
def file(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """What the reader shows: the signed document where there is one, else the uploaded one."""
    document = documents.find_document(account=signer.account, document_id=document_id)
    return _answer(signer, document_id, visible_text(document.name), is_signed=document.state == "signed")


@require_safe
@logged_in
def download(request: HttpRequest, signer: Signer, document_id: UUID) -> HttpResponseBase:
    """The signed document, under a name of its own."""
    document = documents.find_document(account=signer.account, document_id=document_id)
    stem = PurePath(visible_text(document.name)).stem
    return _answer(signer, document_id, _("%(name)s (signed).pdf") % {"name": stem}, is_signed=True)


def _answer(signer: Signer, document_id: UUID, name: str, *, is_signed: bool) -> FileResponse:
    opened = (documents.open_signed if is_signed else documents.open_original)(
        account=signer.account, document_id=document_id
    )
    response = FileResponse(opened, as_attachment=True, filename=name, content_type="application/pdf")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
