"""Inspections and jobs."""

import uuid
from dataclasses import asdict
from typing import Any

from django.http import FileResponse, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from gateway import documents
from gateway.models import Job
from gateway.pades.levels import LEVELS
from gateway.services import approving, jobs, preparing, repairing, returning, sealing, signing
from gateway.services.callers import VerifiedCaller
from gateway.views.endpoint import endpoint, no_content, read_json, read_key, receive_pdf
from gateway.views.options import LONGEST_OPTIONS, parse_options
from gateway.wire import (
    HASH_TYPE,
    LONGEST_SAD,
    parse_choice,
    parse_file_name,
    parse_flag,
    parse_password,
    parse_state,
    parse_text,
    returns_here,
)


def signed_to_json(job: Job) -> dict[str, Any] | None:
    """``shortfall`` says why ``level`` is not the one that was asked for; ``lasts_until`` when its last proof ends."""
    if job.signed is None:
        return None
    return {
        "size": job.signed_size,
        "sha256": job.signed_sha256,
        "level": job.achieved_level,
        "shortfall": job.shortfall or None,
        "lasts_until": job.lasts_until.isoformat() if job.lasts_until else None,
    }


def job_to_json(job: Job) -> dict[str, Any]:
    """Shape: docs/protocols.md, section 6."""
    return {
        "job_id": str(job.pk),
        "state": job.state,
        "document": {
            "name": job.document_name,
            "pages": job.document_pages,
            "size": job.document_size,
            "sha256": job.document_sha256,
        },
        "credential_id": job.chosen_credential_id or job.credential_id,
        "digest": job.digest,
        "hash_algorithm_oid": job.hash_algorithm_oid,
        "hash_type": HASH_TYPE,
        "label": approving.job_label(job),
        "level": job.level if job.credential_id else None,
        "signed": signed_to_json(job),
        "waits_for": job.waits_for or None,
        "error": {"code": job.error_code, "message": job.error_message} if job.error_code else None,
        "created_at": job.created_at.isoformat(),
        "expires_at": job.expires_at.isoformat(),
    }


@endpoint("POST")
def inspections(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    password = parse_password(request.headers.get("Document-Password"))
    with receive_pdf(request) as upload:
        _size, sha256 = documents.measure(upload)
        facts = repairing.inspect_or_offer_repair(caller=caller, upload=upload, password=password)
    return JsonResponse(asdict(facts) | {"sha256": sha256, "encryption": facts.encryption or None})


@endpoint("POST")
def repairs(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    """The document written anew; what was changed stands in ``Repairs``, a list of tokens (RFC 8941, 3.1)."""
    password = parse_password(request.headers.get("Document-Password"))
    with receive_pdf(request) as upload:
        repaired = repairing.repair_document(caller=caller, upload=upload, password=password)
    response = FileResponse(repaired.file, as_attachment=True, filename="repaired.pdf", content_type="application/pdf")
    response["Content-Length"] = str(repaired.size)
    response["Repairs"] = ", ".join(repaired.changes)
    return response


@endpoint("POST")
def open_job(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    key = read_key(request)
    name = parse_file_name(request.headers.get("Content-Disposition"))
    password = parse_password(request.headers.get("Document-Password"))
    with receive_pdf(request) as upload:
        job = jobs.open_job(caller=caller, upload=upload, name=name, idempotency_key=key, password=password)
    return JsonResponse(job_to_json(job), status=201)


@endpoint("GET")
def show_job(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    return JsonResponse(job_to_json(jobs.find_job(caller=caller, job_id=job_id)))


@endpoint("DELETE")
def delete_job(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    jobs.delete_job(caller=caller, job_id=job_id)
    return no_content()


@endpoint("POST")
def prepare(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request, limit=LONGEST_OPTIONS)
    job = preparing.prepare_job(
        caller=caller,
        job_id=job_id,
        credential_id=parse_text(body, "credential_id", limit=255),
        level=parse_choice(body, "level", LEVELS),
        best_effort=parse_flag(body, "best_effort"),
        options=parse_options(body),
    )
    return JsonResponse(job_to_json(job))


@endpoint("POST", of_people=True)
def authorization(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request)
    if returns_here(body):
        return JsonResponse(asdict(returning.request_job_authorization(caller=caller, job_id=job_id)))
    link = parse_text(body, "link", limit=2048) if "link" in body else ""
    pushed = approving.request_authorization(caller=caller, job_id=job_id, state=parse_state(body), link=link)
    return JsonResponse(asdict(pushed))


@endpoint("POST", of_people=True)
def complete(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request)
    code, iss = parse_text(body, "code", limit=2048), parse_text(body, "iss", limit=2048)
    job = approving.complete_job(caller=caller, job_id=job_id, code=code, iss=iss)
    return JsonResponse(job_to_json(job), status=202)


@endpoint("POST")
def seal(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    sad = parse_text(read_json(request), "sad", limit=LONGEST_SAD)
    return JsonResponse(job_to_json(sealing.seal_job(caller=caller, job_id=job_id, sad=sad)), status=202)


@endpoint("POST")
def finish(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    best_effort = parse_flag(read_json(request), "best_effort")
    job = signing.finish_job(caller=caller, job_id=job_id, best_effort=best_effort)
    return JsonResponse(job_to_json(job), status=202)


@endpoint("GET")
def result(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    found = jobs.open_result(caller=caller, job_id=job_id)
    response = FileResponse(found.file, as_attachment=True, filename=found.name, content_type="application/pdf")
    response["Content-Length"] = str(found.size)
    return response
