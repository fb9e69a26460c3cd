"""Signature creation's API (docs/protocols.md, section 6), with the person's service token. Documents are streamed."""

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

import httpx
from django.conf import settings

from signapp import errors
from signapp.clients.answers import json_object
from signapp.clients.http import client_for
from signapp.clients.login_servers import login_server
from signapp.wire import (
    AnswerError,
    Approval,
    Batch,
    BatchJob,
    Certificate,
    CertificateRequest,
    Facts,
    Job,
    parse_approval,
    parse_batch,
    parse_batch_job,
    parse_certificate,
    parse_certificate_request,
    parse_facts,
    parse_identification,
    parse_job,
    parse_repairs,
    write_disposition,
    write_password,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
_CHUNK = 256 * 1024
# What a signature may add to a document.
_GROWTH = 16 * 1024 * 1024
_ERRORS: dict[str, type[errors.SignappError]] = {
    "invalid_token": errors.LoginRequiredError,
    "job_not_found": errors.JobLostError,
    "batch_not_found": errors.JobLostError,
    "wrong_state": errors.WrongStateError,
    "not_signed_yet": errors.WrongStateError,
    "document_busy": errors.DocumentBusyError,
    "approval_denied": errors.ApprovalDeniedError,
    "approval_expired": errors.ApprovalExpiredError,
    "approval_refused": errors.ApprovalRefusedError,
    "credential_not_usable": errors.CertificateNotUsableError,
    "too_many_prepared": errors.TooManyPreparedError,
    "too_many_documents": errors.StorageFullError,
    "too_many_passwords": errors.TooManyPasswordsError,
    "identity_refused": errors.IdentityRefusedError,
    "authorization_server_unavailable": errors.AuthorizationServerUnavailableError,
    "storage_full": errors.StorageFullError,
}


class ResultDamagedError(errors.SignappError):
    """The signed document that arrived is not the one that the gateway announced."""

    code = "result_damaged"


def inspect(*, token: str, upload: IO[bytes], size: int, password: str = "") -> Facts:
    """Raises `DocumentRefusedError`, `TooManyPasswordsError`."""
    return _parsed(parse_facts, _send("POST", "inspections", token, **_pdf(upload, size, **write_password(password))))


def repair(*, token: str, upload: IO[bytes], size: int, password: str, into: IO[bytes]) -> tuple[str, ...]:
    """Writes the document anew into a file; answers with what was changed. Raises `DocumentRefusedError`,
    `TooManyPasswordsError`."""
    request = _pdf(upload, size, **write_password(password))
    headers = {**_bearer(token), **request.pop("headers")}
    try:
        with client_for(settings.GATEWAY_API_URL).stream(
            "POST", _address("repairs"), headers=headers, **request
        ) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _refusal(response)
            for chunk in response.iter_bytes(_CHUNK):
                into.write(chunk)
                if into.tell() > settings.MAX_DOCUMENT_BYTES:
                    raise errors.DocumentTooLargeError
    except httpx.TransportError as error:
        log.warning("the gateway does not answer: %s", type(error).__name__)
        raise errors.ServiceUnavailableError from None
    return parse_repairs(response.headers.get("Repairs", ""))


def open_job(
    *, token: str, upload: IO[bytes], size: int, name: str, idempotency_key: uuid.UUID, password: str = ""
) -> Job:
    """The same key and document answer with the job that exists."""
    extra = {"Content-Disposition": write_disposition(name), "Idempotency-Key": str(idempotency_key)}
    extra |= write_password(password)
    return _parsed(parse_job, _send("POST", "jobs", token, **_pdf(upload, size, **extra)))


def read_job(*, token: str, job_id: uuid.UUID) -> Job:
    """Raises `JobLostError`."""
    return _parsed(parse_job, _send("GET", f"jobs/{job_id}", token))


def prepare_job(
    *, token: str, job_id: uuid.UUID, credential_id: str, reason: str, options: dict[str, Any] | None = None
) -> Job:
    """``options`` are members of docs/signatures.md: fields, their values, what is seen."""
    body = {"credential_id": credential_id, **({"reason": reason} if reason else {}), **(options or {})}
    return _parsed(parse_job, _send("POST", f"jobs/{job_id}/prepare", token, json=body))


def request_authorization(*, token: str, job_id: uuid.UUID, state: str, link: str = "") -> Approval:
    """``link`` is where the document can be read again, for the page on which it is approved."""
    answer = _send(
        "POST", f"jobs/{job_id}/authorization", token, json={"state": state} | ({"link": link} if link else {})
    )
    return _parsed(_approval, answer)


def complete_job(*, token: str, job_id: uuid.UUID, code: str, iss: str) -> Job:
    return _parsed(parse_job, _send("POST", f"jobs/{job_id}/complete", token, json={"code": code, "iss": iss}))


def delete_job(*, token: str, job_id: uuid.UUID) -> None:
    """Raises `WrongStateError` while a signature is being made, `JobLostError` if there is none."""
    _send("DELETE", f"jobs/{job_id}", token)


def open_batch(*, token: str, job_ids: list[uuid.UUID], idempotency_key: uuid.UUID) -> Batch:
    """A document that cannot be prepared or signed leaves the others alone."""
    body = {"jobs": [str(job_id) for job_id in job_ids], "policy": "best_effort"}
    headers = {"Idempotency-Key": str(idempotency_key)}
    return _parsed(parse_batch, _send("POST", "batches", token, json=body, headers=headers))


def set_own_options(*, token: str, job_id: uuid.UUID, options: dict[str, Any]) -> Job:
    """What this document's signature says, in the place of what is said for the whole batch."""
    return _parsed(parse_job, _send("POST", f"jobs/{job_id}/options", token, json=options))


def prepare_batch(*, token: str, batch_id: uuid.UUID, credential_id: str, reason: str) -> Batch:
    body = {"credential_id": credential_id, **({"reason": reason} if reason else {})}
    return _parsed(parse_batch, _send("POST", f"batches/{batch_id}/prepare", token, json=body))


def read_batch(*, token: str, batch_id: uuid.UUID) -> Batch:
    """Raises `JobLostError`."""
    return _parsed(parse_batch, _send("GET", f"batches/{batch_id}", token))


def list_batch_jobs(*, token: str, batch_id: uuid.UUID) -> list[BatchJob]:
    def parse(body: dict[str, Any]) -> list[BatchJob]:
        found = body.get("jobs")
        if not isinstance(found, list):
            raise AnswerError("jobs")
        return [parse_batch_job(item) for item in found]

    return _parsed(parse, _send("GET", f"batches/{batch_id}/jobs", token))


def authorize_batch(*, token: str, batch_id: uuid.UUID, state: str, links: dict[str, str]) -> Approval:
    """``links``: where each job's document can be read again."""
    return _parsed(
        _approval, _send("POST", f"batches/{batch_id}/authorization", token, json={"state": state, "links": links})
    )


def complete_batch(*, token: str, batch_id: uuid.UUID, code: str, iss: str) -> Batch:
    return _parsed(parse_batch, _send("POST", f"batches/{batch_id}/complete", token, json={"code": code, "iss": iss}))


def delete_batch(*, token: str, batch_id: uuid.UUID) -> None:
    """With its jobs. Raises `WrongStateError` while signatures are being made, `JobLostError` if there is none."""
    _send("DELETE", f"batches/{batch_id}", token)


def list_credentials(*, token: str) -> list[Certificate]:
    def parse(body: dict[str, Any]) -> list[Certificate]:
        found = body.get("credentials")
        if not isinstance(found, list):
            raise AnswerError("credentials")
        return [parse_certificate(item) for item in found]

    return _parsed(parse, _send("GET", "credentials", token))


def list_requests(*, token: str) -> list[CertificateRequest]:
    """The person's requests for certificates that have none."""

    def parse(body: dict[str, Any]) -> list[CertificateRequest]:
        found = body.get("requests")
        if not isinstance(found, list):
            raise AnswerError("requests")
        return [parse_certificate_request(item) for item in found]

    return _parsed(parse, _send("GET", "credentials", token))


def request_credential(*, token: str, certificate_policy: str, key_algorithm: str, state: str) -> Approval:
    body = {"certificate_policy": certificate_policy, "key_algorithm": key_algorithm, "state": state}
    return _parsed(_approval, _send("POST", "credential-requests", token, json=body))


def complete_credential(*, token: str, request_id: uuid.UUID, code: str, iss: str) -> Certificate | CertificateRequest:
    answer = _send("POST", f"credential-requests/{request_id}/complete", token, json={"code": code, "iss": iss})
    if answer.status_code == httpx.codes.ACCEPTED:
        return _parsed(parse_certificate_request, answer)
    return _parsed(parse_certificate, answer)


def begin_identification(*, token: str, credential_id: str, state: str) -> str:
    """Where the person shows who they are. Raises `WrongStateError` where nobody is asked this (any more)."""

    def parse(body: dict[str, Any]) -> str:
        return parse_identification(body, issuer=settings.IDENTITY_ISSUER)

    return _parsed(
        parse, _send("POST", "identifications", token, json={"credential_id": credential_id, "state": state})
    )


def complete_identification(*, token: str, credential_id: str, state: str, code: str, iss: str) -> CertificateRequest:
    """Where the request stands then. Raises `IdentityRefusedError`, `WrongStateError`."""
    given = {"credential_id": credential_id, "state": state, "code": code, "iss": iss}
    return _parsed(parse_certificate_request, _send("POST", "identifications/complete", token, json=given))


def request_passkey_change(*, token: str, credential_id: str, action: str, state: str) -> Approval:
    body = {"credential_id": credential_id, "action": action, "state": state}
    return _parsed(_approval, _send("POST", "passkey-changes", token, json=body))


def complete_passkey_change(*, token: str, request_id: uuid.UUID, code: str, iss: str) -> int:
    """How many passkeys may sign with the certificate afterwards."""

    def parse(body: dict[str, Any]) -> int:
        found = body.get("passkeys")
        if not isinstance(found, list):
            raise AnswerError("passkeys")
        return len(found)

    answer = _send("POST", f"passkey-changes/{request_id}/complete", token, json={"code": code, "iss": iss})
    return _parsed(parse, answer)


def fetch_result(*, token: str, job: Job, into: IO[bytes]) -> None:
    """Writes the signed document into a file. Raises `ResultDamagedError` if it is not what the job announced;
    `JobLostError`."""
    if job.signed_size > settings.MAX_DOCUMENT_BYTES + _GROWTH:
        raise ResultDamagedError
    try:
        _fetch(token, job, into)
    except httpx.TransportError:
        raise errors.ServiceUnavailableError from None


def _fetch(token: str, job: Job, file: IO[bytes]) -> None:
    digest, size = hashlib.sha256(), 0
    address = _address(f"jobs/{job.job_id}/result")
    with client_for(settings.GATEWAY_API_URL).stream("GET", address, headers=_bearer(token)) as response:
        if response.status_code != httpx.codes.OK:
            response.read()
            raise _refusal(response)
        for chunk in response.iter_bytes(_CHUNK):
            size += len(chunk)
            if size > job.signed_size:
                raise ResultDamagedError
            digest.update(chunk)
            file.write(chunk)
    if size != job.signed_size or digest.hexdigest() != job.signed_sha256:
        raise ResultDamagedError


def _approval(body: dict[str, Any]) -> Approval:
    return parse_approval(body, endpoint=login_server().authorization_endpoint())


def _pdf(upload: IO[bytes], size: int, **headers: str) -> dict[str, Any]:
    upload.seek(0)
    return {
        "content": _chunks(upload),
        "headers": {"Content-Type": "application/pdf", "Content-Length": str(size), **headers},
    }


def _chunks(upload: IO[bytes]) -> Iterator[bytes]:
    while chunk := upload.read(_CHUNK):
        yield chunk


def _address(path: str) -> str:
    return f"{settings.GATEWAY_API_URL}/{path}"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _send(method: str, path: str, token: str, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    try:
        response = client_for(settings.GATEWAY_API_URL).request(
            method, _address(path), headers={**_bearer(token), **(headers or {})}, **body
        )
    except httpx.TransportError as error:
        log.warning("the gateway does not answer: %s", type(error).__name__)
        raise errors.ServiceUnavailableError from None
    if not response.is_success:
        raise _refusal(response)
    return response


def _refusal(response: httpx.Response) -> errors.SignappError:
    code = json_object(response).get("error")
    log.info("%s answered %s %s", response.request.url.path, response.status_code, code)
    if isinstance(code, str) and code in errors.REFUSALS:
        return errors.DocumentRefusedError(code)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return errors.LoginRequiredError()
    return _ERRORS.get(code if isinstance(code, str) else "", errors.ServiceUnavailableError)()


def _parsed(parse: Callable[[dict[str, Any]], T], response: httpx.Response) -> T:
    try:
        return parse(json_object(response))
    except AnswerError as error:
        log.error("%s answered in another shape: %s", response.request.url.path, error)
        raise errors.ServiceUnavailableError from None
