"""The documents themselves. They were made by strangers, so no browser ever opens one as a page of this origin."""

from pathlib import PurePath
from typing import IO
from uuid import UUID

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from signapp.services import documents
from signapp.services.envelopes import access
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


@require_safe
@logged_in
def part(request: HttpRequest, signer: Signer, envelope_id: UUID, part_id: UUID) -> HttpResponseBase:
    """An envelope's document with the signatures that it has so far."""
    found = access.find_part(account=signer.account, envelope_id=envelope_id, part_id=part_id)
    return _attach(documents.open_stored(found.current), visible_text(found.name))


def _answer(signer: Signer, document_id: UUID, name: str, *, is_signed: bool) -> FileResponse:
    opened = (documents.open_signed if is_signed else documents.open_original)(
        account=signer.account, document_id=document_id
    )
    return _attach(opened, name)


def _attach(opened: IO[bytes], name: str) -> FileResponse:
    response = FileResponse(opened, as_attachment=True, filename=name, content_type="application/pdf")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
