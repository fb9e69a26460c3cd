"""One document on its way to one signature: prepared, approved, fetched.

The document's row changes by conditional UPDATE alone, each naming the job that it speaks of; the gateway is asked
outside transactions, and what is asked twice there answers alike.
"""

import logging
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from signapp import documents, wire
from signapp.clients import gateway
from signapp.clients.gateway import ResultDamagedError
from signapp.errors import (
    FAILURES,
    ApprovalError,
    ApprovalStaleError,
    DocumentBusyError,
    JobLostError,
    RevisionMovedError,
    ServiceUnavailableError,
    SignappError,
    WrongStateError,
)
from signapp.models import Document, StoredFile
from signapp.services import pending
from signapp.services.documents import drop_job, find_document, refuse_in_batch
from signapp.services.envelopes import filling, turns
from signapp.services.logins import Account

log = logging.getLogger(__name__)

APPROVAL_SECONDS = 3600
_State = Document.State
_PREPARABLE = (_State.READY, _State.PREPARED, _State.APPROVING, _State.FAILED)
_APPROVABLE = (_State.PREPARED, _State.APPROVING)
_MOVING = (_State.APPROVING, _State.SIGNING)
NO_ATTEMPT: dict[str, Any] = {
    "credential_id": "",
    "credential_name": "",
    "fingerprint": "",
    "label": "",
    "job_id": None,
    "idempotency_key": None,
}


@dataclass(frozen=True)
class Prepared:
    """What the signer is about to approve; the consent page shows the same fingerprint and label."""

    document: Document
    fingerprint: str
    credential: str
    label: str


# --- Prepare ------------------------------------------------------------------------------------------------


def prepare_signature(
    *, account: Account, token: str, document_id: uuid.UUID, credential_id: str, reason: str = ""
) -> Prepared:
    """Has the gateway prepare the document for this certificate; again, if it was prepared before.

    Raises `WrongStateError` once it is being signed or signed, `CertificateNotUsableError`, `DocumentRefusedError`,
    `ServiceUnavailableError`; `ValueMissingError` where something is to be filled in.
    """
    document = find_document(account=account, document_id=document_id)
    refuse_in_batch(document)
    if document.state not in _PREPARABLE:
        raise WrongStateError
    filling.refuse_incomplete(document)
    turns.take(document)
    document = find_document(account=account, document_id=document_id)
    options = filling.write_options(account=account, document=document)
    certificates = {item.credential_id: item.common_name for item in gateway.list_credentials(token=token)}
    job = _prepare(token, document, {"credential_id": credential_id, "reason": reason, "options": options})
    fingerprint = _fingerprint(document, job, credential_id)
    changed = Document.objects.filter(pk=document.pk, job_id=job.job_id, state__in=_PREPARABLE).change(
        state=_State.PREPARED,
        fingerprint=fingerprint,
        label=job.label[:255],
        credential_id=credential_id,
        credential_name=certificates.get(credential_id, "")[:255],
        error_code="",
        error_message="",
    )
    if not changed:
        raise WrongStateError
    document = find_document(account=account, document_id=document_id)
    return Prepared(document, document.fingerprint, document.credential_name, document.label)


def _fingerprint(document: Document, job: wire.Job, credential_id: str) -> str:
    """What is shown speaks of this document and this certificate, or nothing is shown."""
    fits = (job.state, job.sha256, job.credential_id) == ("prepared", document.sha256, credential_id)
    if not fits or len(job.digest) < wire.MIN_DIGEST:
        log.error("the gateway prepared something else than it was asked to")
        raise ServiceUnavailableError
    return wire.write_fingerprint(job.digest)


def _prepare(token: str, document: Document, asked: dict[str, Any]) -> wire.Job:
    """In the job that is there, if it can still be used; else in a new one."""
    if document.job_id is not None and document.state in _APPROVABLE:
        try:
            return gateway.prepare_job(token=token, job_id=document.job_id, **asked)
        except JobLostError:
            log.info("job %s is gone; the document is sent again", document.job_id)
        except WrongStateError:
            if gateway.read_job(token=token, job_id=document.job_id).state not in {"failed", "expired"}:
                raise
    job = open_job(token, document)
    return gateway.prepare_job(token=token, job_id=job.job_id, **asked)


def open_job(token: str, document: Document) -> wire.Job:
    """A new job under a new key, which is kept before it is used: an answer that is lost is asked for again."""
    same = Document.objects.filter(pk=document.pk, state__in=_PREPARABLE, idempotency_key=document.idempotency_key)
    key = document.idempotency_key
    if key is None or document.job_id is not None:
        key = uuid.uuid4()
        if not same.change(idempotency_key=key, job_id=None):
            raise WrongStateError
    if document.source is None:
        raise WrongStateError
    with documents.open_file(document.source) as original:
        job = gateway.open_job(
            token=token,
            upload=original,
            size=document.size,
            name=document.name,
            idempotency_key=key,
            password=documents.password_of(document.source),
        )
    kept = Document.objects.filter(pk=document.pk, state__in=_PREPARABLE, idempotency_key=key).change(job_id=job.job_id)
    if not kept:
        raise WrongStateError
    return job


# --- Approve ------------------------------------------------------------------------------------------------


def begin_approval(*, account: Account, token: str, session: SessionBase, document_id: uuid.UUID) -> str:
    """The address to send the browser to. ``state`` is bound to this browser, account, document and job.

    Raises `WrongStateError` unless the document is prepared, `JobLostError`, `ServiceUnavailableError`.
    """
    document = find_document(account=account, document_id=document_id)
    refuse_in_batch(document)
    job_id = document.job_id
    if document.state not in _APPROVABLE or job_id is None:
        raise WrongStateError
    turns.hold(document)
    state, link = secrets.token_urlsafe(32), f"{settings.SIGNAPP_URL}/documents/{document.pk}"
    try:
        approval = gateway.request_authorization(token=token, job_id=job_id, state=state, link=link)
    except JobLostError:
        _fail(document, JobLostError.code)
        raise
    if not Document.objects.filter(pk=document.pk, job_id=job_id, state__in=_APPROVABLE).change(state=_State.APPROVING):
        raise WrongStateError
    pending.remember(
        session=session,
        kind=pending.APPROVAL,
        state=state,
        seconds=APPROVAL_SECONDS,
        subject=account.subject,
        document_id=str(document.pk),
        job_id=str(job_id),
    )
    return approval.authorization_url


def approve_document(*, account: Account, token: str, begun: dict[str, Any], code: str, iss: str) -> Document:
    """Hands the code to the gateway, which redeems it; asked again it redeems nothing. Raises approval errors."""
    document = find_document(account=account, document_id=uuid.UUID(begun["document_id"]))
    job_id = uuid.UUID(begun["job_id"])
    if document.job_id != job_id:
        raise ApprovalStaleError
    if document.state not in _APPROVABLE:
        return document
    turns.hold(document, commit=True)
    try:
        job = gateway.complete_job(token=token, job_id=job_id, code=code, iss=iss)
    except JobLostError:
        _fail(document, JobLostError.code)
        raise
    except SignappError as error:
        # Whatever the gateway answers, it signs nothing; without an answer nobody knows, until it is asked.
        if type(error) is not ServiceUnavailableError:
            turns.loosen(document)
        if isinstance(error, ApprovalError):
            deny_document(account=account, begun=begun)
        raise
    return _follow(account, token, document, job)


def deny_document(*, account: Account, begun: dict[str, Any]) -> None:
    """The approval is over; the document is as prepared as before."""
    document = find_document(account=account, document_id=uuid.UUID(begun["document_id"]))
    turns.loosen(document, although_committed=False)
    Document.objects.filter(
        issuer=account.issuer,
        subject=account.subject,
        pk=begun["document_id"],
        job_id=begun["job_id"],
        state=_State.APPROVING,
    ).change(state=_State.PREPARED)


def settle_approval(*, account: Account, token: str, document_id: uuid.UUID) -> Document:
    """After a code was handed on and no answer came: what the gateway made of it. If nothing, the document is free."""
    document = refresh_document(account=account, token=token, document_id=document_id)
    if document.state in _APPROVABLE:
        turns.loosen(document)
    return document


# --- Follow -------------------------------------------------------------------------------------------------


def refresh_document(*, account: Account, token: str, document_id: uuid.UUID) -> Document:
    """The document as it stands at the gateway; once signed there, it is kept here and purged there.

    Raises `ServiceUnavailableError`; a job that failed, expired or is gone makes the document `failed`.
    """
    document = find_document(account=account, document_id=document_id)
    if document.state not in _MOVING or document.job_id is None:
        return document
    try:
        job = gateway.read_job(token=token, job_id=document.job_id)
    except JobLostError:
        _fail(document, JobLostError.code)
        return find_document(account=account, document_id=document_id)
    return _follow(account, token, document, job)


def _follow(account: Account, token: str, document: Document, job: wire.Job) -> Document:
    row = Document.objects.filter(pk=document.pk, job_id=job.job_id)
    if job.state in {"approved", "signing"}:
        row.filter(state__in=_APPROVABLE).change(state=_State.SIGNING)
    elif job.state == "signed":
        _keep_result(token, document, job)
    elif job.state in {"failed", "expired"}:
        _fail(document, "job_expired" if job.state == "expired" else job.error_code)
        _purge(token, document, job)
    return find_document(account=account, document_id=document.pk)


def _keep_result(token: str, document: Document, job: wire.Job) -> None:
    """Of several requests that fetch it at once, one keeps it."""
    try:
        with documents.scratch_file() as result:
            with documents.writing():
                gateway.fetch_result(token=token, job=job, into=result)
            stored = documents.store_file(result, password=documents.password_of(document.source))
    except ResultDamagedError as error:
        log.error("document %s: the signed file is not the one that was announced", document.pk)
        _fail(document, error.code)
        return
    except JobLostError:
        # Another request was first, kept it and had the job purged: then this changes no row.
        _fail(document, JobLostError.code)
        return
    try:
        kept = _keep(document, job, stored)
    except RevisionMovedError as error:
        log.error("document %s: signed over another revision than the last", document.pk)
        _fail(document, error.code)
        kept = False
    if not kept:
        documents.delete_file(stored)
        return
    _purge(token, document, job)


def _keep(document: Document, job: wire.Job, stored: StoredFile) -> bool:
    values: dict[str, Any] = {
        "state": _State.SIGNED,
        "signed": stored,
        "signed_at": timezone.now(),
        "signature_level": job.signed_level,
        "lasts_until": job.lasts_until,
        "error_code": "",
        "error_message": "",
    }
    if document.part is not None:
        return turns.keep_signature(document, values)
    row = Document.objects.filter(pk=document.pk, job_id=job.job_id, state__in=(*_APPROVABLE, _State.SIGNING))
    return bool(row.change(**values))


def _purge(token: str, document: Document, job: wire.Job) -> None:
    if document.batch is not None and document.batch.is_open:
        return  # with the batch, when it has ended
    try:
        drop_job(token=token, job_id=job.job_id)
    except SignappError as error:
        log.warning("job %s is left for the gateway to purge: %s", job.job_id, error.code)


def _fail(document: Document, code: str) -> None:
    """The document can be signed again; an unknown code is told as `server_error`."""
    code = code if code in FAILURES else SignappError.code
    Document.objects.filter(pk=document.pk, job_id=document.job_id, state__in=(*_APPROVABLE, _State.SIGNING)).change(
        state=_State.FAILED, error_code=code, error_message=FAILURES.get(code, SignappError.sentence)
    )
    turns.loosen(document)


def cancel_signature(*, account: Account, token: str, document_id: uuid.UUID) -> Document:
    """Back to the document as it was uploaded. Raises `DocumentBusyError` once it is approved, `WrongStateError` once
    it is signed."""
    document = find_document(account=account, document_id=document_id)
    refuse_in_batch(document)
    if document.state == _State.SIGNING:
        raise DocumentBusyError
    if document.state == _State.SIGNED:
        raise WrongStateError
    if document.job_id is not None:
        drop_job(token=token, job_id=document.job_id)
    changed = Document.objects.filter(pk=document.pk, job_id=document.job_id, state__in=_PREPARABLE).change(
        state=_State.READY, error_code="", error_message="", **NO_ATTEMPT
    )
    if not changed:
        raise WrongStateError
    turns.loosen(document)
    return find_document(account=account, document_id=document_id)
