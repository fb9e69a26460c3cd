"""Archives: documents that are kept signed."""

import uuid
from typing import Any

from django.http import FileResponse, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from gateway import documents
from gateway.errors import InvalidRequestError
from gateway.models import Archive
from gateway.services import archives
from gateway.services.callers import VerifiedCaller
from gateway.views.endpoint import created_once, endpoint, no_content, read_json, receive_pdf
from gateway.wire import parse_file_name, parse_password, parse_text


def archive_to_json(archive: Archive) -> dict[str, Any]:
    """Shape: docs/protocols.md, section 6."""
    return {
        "archive_id": str(archive.pk),
        "name": archive.name,
        "signatures": archive.signatures,
        "size": archive.document.size,
        "sha256": archive.document.sha256,
        "lasts_until": archive.lasts_until.isoformat(),
        "renewals": archive.renewals,
        "error": archive.error_code or None,
        "created_at": archive.created_at.isoformat(),
    }


@endpoint("POST")
def create(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    """A signed PDF as body, or the identifier of a job that is signed."""
    if request.content_type == "application/pdf":
        name = parse_file_name(request.headers.get("Content-Disposition"))
        password = parse_password(request.headers.get("Document-Password"))
        with receive_pdf(request) as upload:
            _size, sha256 = documents.measure(upload)
            return created_once(
                request,
                caller,
                sha256.encode(),
                lambda: archive_to_json(
                    archives.archive_document(caller=caller, upload=upload, name=name, password=password)
                ),
            )
    job_id = _parse_id(read_json(request))
    return created_once(
        request,
        caller,
        str(job_id).encode(),
        lambda: archive_to_json(archives.archive_job(caller=caller, job_id=job_id)),
    )


def _parse_id(body: dict[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(parse_text(body, "job_id", limit=36))
    except ValueError:
        raise InvalidRequestError("The member job_id must be a UUID.") from None


@endpoint("GET")
def show(request: HttpRequest, caller: VerifiedCaller, archive_id: uuid.UUID) -> HttpResponseBase:
    return JsonResponse(archive_to_json(archives.find_archive(caller=caller, archive_id=archive_id)))


@endpoint("DELETE")
def delete(request: HttpRequest, caller: VerifiedCaller, archive_id: uuid.UUID) -> HttpResponseBase:
    archives.delete_archive(caller=caller, archive_id=archive_id)
    return no_content()


@endpoint("GET")
def document(request: HttpRequest, caller: VerifiedCaller, archive_id: uuid.UUID) -> HttpResponseBase:
    archive = archives.find_archive(caller=caller, archive_id=archive_id)
    file = documents.open_document(archive.document)
    response = FileResponse(file, as_attachment=True, filename=archive.name, content_type="application/pdf")
    response["Content-Length"] = str(archive.document.size)
    return response
