"""Batches of jobs."""

import uuid
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from gateway.errors import InvalidRequestError
from gateway.models import Batch, Job
from gateway.pades.levels import LEVELS
from gateway.services import batches, returning, sealing
from gateway.services.callers import VerifiedCaller
from gateway.views.endpoint import canonical, created_once, endpoint, no_content, read_json
from gateway.views.jobs import job_to_json, signed_to_json
from gateway.views.options import LONGEST_OPTIONS, parse_options
from gateway.wire import LONGEST_SAD, MOST_JOBS, parse_choice, parse_flag, parse_state, parse_text, returns_here

# An address for each document.
LONGEST_LINKS = 512 * 1024


def batch_to_json(batch: Batch) -> dict[str, Any]:
    """Shape: docs/protocols.md, section 6."""
    progress = batches.read_progress(batch=batch)
    return {
        "batch_id": str(batch.pk),
        "state": batch.state,
        "policy": batch.policy,
        "credential_id": batch.credential_id or None,
        "level": batch.level if batch.credential_id else None,
        "total": progress.total,
        "states": progress.states,
        "waiting": progress.waiting,
        "error": {"code": batch.error_code, "message": batch.error_message} if batch.error_code else None,
        "created_at": batch.created_at.isoformat(),
        "expires_at": batch.expires_at.isoformat(),
    }


def _entry(job: Job) -> dict[str, Any]:
    return {
        "job_id": str(job.pk),
        "name": job.document_name,
        "state": job.state,
        "digest": job.digest,
        "signed": signed_to_json(job),
        "error": {"code": job.error_code, "message": job.error_message} if job.error_code else None,
    }


@endpoint("POST")
def open_batch(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    body = read_json(request)
    policy = parse_choice(body, "policy", Batch.Policy.values) or Batch.Policy.ALL_OR_NOTHING
    job_ids = _job_ids(body)

    def make() -> dict[str, Any]:
        return batch_to_json(batches.open_batch(caller=caller, job_ids=job_ids, policy=policy))

    return created_once(request, caller, canonical(body), make)


def _job_ids(body: dict[str, Any]) -> list[uuid.UUID]:
    listed = body.get("jobs")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_JOBS:
        raise InvalidRequestError(f"The member jobs must be a list of 1 to {MOST_JOBS} job identifiers.")
    try:
        job_ids = [uuid.UUID(each) for each in listed if isinstance(each, str)]
    except ValueError:
        job_ids = []
    if len(set(job_ids)) != len(listed):
        raise InvalidRequestError("The member jobs must hold identifiers of jobs, each once.")
    return job_ids


@endpoint("GET")
def show_batch(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    return JsonResponse(batch_to_json(batches.find_batch(caller=caller, batch_id=batch_id)))


@endpoint("GET")
def list_jobs(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    batch = batches.find_batch(caller=caller, batch_id=batch_id)
    return JsonResponse({"jobs": [_entry(job) for job in batches.list_jobs(batch=batch)]})


@endpoint("DELETE")
def delete_batch(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    batches.delete_batch(caller=caller, batch_id=batch_id)
    return no_content()


@endpoint("POST")
def own_options(request: HttpRequest, caller: VerifiedCaller, job_id: uuid.UUID) -> HttpResponseBase:
    options = parse_options(read_json(request, limit=LONGEST_OPTIONS))
    return JsonResponse(job_to_json(batches.set_own_options(caller=caller, job_id=job_id, options=options)))


@endpoint("POST")
def prepare(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request, limit=LONGEST_OPTIONS)
    batch = batches.prepare_batch(
        caller=caller,
        batch_id=batch_id,
        credential_id=parse_text(body, "credential_id", limit=255),
        level=parse_choice(body, "level", LEVELS),
        best_effort=parse_flag(body, "best_effort"),
        options=parse_options(body),
    )
    return JsonResponse(batch_to_json(batch), status=202)


@endpoint("POST", of_people=True)
def authorization(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request, limit=LONGEST_LINKS)
    if returns_here(body):
        return JsonResponse(asdict(returning.request_batch_authorization(caller=caller, batch_id=batch_id)))
    pushed = batches.request_authorization(
        caller=caller, batch_id=batch_id, state=parse_state(body), links=_parse_links(body)
    )
    return JsonResponse(asdict(pushed))


def _parse_links(body: dict[str, Any]) -> dict[uuid.UUID, str]:
    links = body.get("links", {})
    if not isinstance(links, dict) or len(links) > MOST_JOBS:
        raise InvalidRequestError("The member links must be an object of addresses by job identifiers.")
    try:
        return {uuid.UUID(job_id): parse_text(links, job_id, limit=2048) for job_id in links}
    except ValueError:
        raise InvalidRequestError("The member links must be an object of addresses by job identifiers.") from None


@endpoint("POST", of_people=True)
def complete(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request)
    code, iss = parse_text(body, "code", limit=2048), parse_text(body, "iss", limit=2048)
    batch = batches.complete_batch(caller=caller, batch_id=batch_id, code=code, iss=iss)
    return JsonResponse(batch_to_json(batch), status=202)


@endpoint("POST")
def seal(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    sad = parse_text(read_json(request), "sad", limit=LONGEST_SAD)
    return JsonResponse(batch_to_json(sealing.seal_batch(caller=caller, batch_id=batch_id, sad=sad)), status=202)
