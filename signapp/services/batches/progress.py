"""Getting a batch on, a little with each call: its documents are sent, prepared, and fetched when they are signed.

The page that shows a batch calls `advance` again and again. What is done is committed document by document, so whoever
closes the page loses nothing and goes on where it was; the gateway's own work goes on by itself.
"""

import logging
import time
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from signapp import wire
from signapp.clients import gateway
from signapp.errors import (
    JobLostError,
    LoginRequiredError,
    ServiceUnavailableError,
    SignappError,
    StorageFullError,
    WrongStateError,
)
from signapp.models import Batch, Document
from signapp.services import signing
from signapp.services.batches.gathering import find_batch, list_documents
from signapp.services.documents import find_document
from signapp.services.envelopes import filling, turns
from signapp.services.logins import Account

log = logging.getLogger(__name__)

_State = Batch.State
WORKING = (_State.SENDING, _State.PREPARING, _State.SIGNING)
_LEASE = timedelta(seconds=30)
# These are not the document's fault: they end the call, and the next one tries again.
_PASSING = (LoginRequiredError, ServiceUnavailableError, StorageFullError)


def advance(*, account: Account, token: str, batch: Batch, seconds: float = 1.5) -> Batch:
    """Works on the batch for so long, unless another page of this person's does, and says how it stands.

    Raises `ServiceUnavailableError`, `StorageFullError`, `LoginRequiredError`; what was done by then stays done.
    """
    if batch.state not in WORKING:
        return batch
    now = timezone.now()
    free = Batch.objects.filter(Q(working_until=None) | Q(working_until__lt=now), pk=batch.pk)
    if not free.change(working_until=now + _LEASE):
        return batch
    ends = time.monotonic() + seconds
    steps = {_State.SENDING: _send_next, _State.PREPARING: _read_prepared, _State.SIGNING: _fetch_next}
    try:
        while batch.state in WORKING and steps[_State(batch.state)](account, token, batch) and time.monotonic() < ends:
            batch = find_batch(account=account, batch_id=batch.pk)
    finally:
        Batch.objects.filter(pk=batch.pk).change(working_until=None)
    return find_batch(account=account, batch_id=batch.pk)


def leave_out(batch: Batch, document: Document, code: str) -> None:
    """This document is not signed with the others, and says why."""
    undecided = Document.objects.filter(pk=document.pk, batch=batch).exclude(state=Document.State.SIGNED)
    undecided.change(state=Document.State.FAILED, error_code=code[:64], error_message="")
    turns.loosen(document)


# --- Send ---------------------------------------------------------------------------------------------------


def _send_next(account: Account, token: str, batch: Batch) -> bool:
    unsent = batch.documents.filter(state=Document.State.READY, job_id=None).order_by("batch_position", "pk").first()
    if unsent is None:
        return _put_together(account, token, batch)
    document = find_document(account=account, document_id=unsent.pk)
    try:
        filling.refuse_incomplete(document)
        turns.take(document)
        document = find_document(account=account, document_id=unsent.pk)
        job = signing.open_job(token, document)
        if job.sha256 != document.sha256:
            raise ServiceUnavailableError
    except _PASSING:
        raise
    except SignappError as error:
        leave_out(batch, document, error.code)
    return True


def _put_together(account: Account, token: str, batch: Batch) -> bool:
    sent = [document for document in list_documents(batch) if document.state == Document.State.READY]
    mine = Batch.objects.filter(pk=batch.pk, state=_State.SENDING)
    if not sent:
        mine.change(state=_State.FAILED)
        return False
    try:
        if batch.gateway_id is None:
            job_ids = [document.job_id for document in sent if document.job_id]
            told = gateway.open_batch(token=token, job_ids=job_ids, idempotency_key=batch.pk)
            mine.change(gateway_id=told.batch_id)
            batch.gateway_id = told.batch_id
        for document in sent:
            _set_own_options(account, token, batch, document)
        gateway.prepare_batch(
            token=token, batch_id=batch.gateway_id, credential_id=batch.credential_id, reason=batch.reason
        )
    except _PASSING:
        raise
    except SignappError as error:
        log.warning("batch %s could not be prepared: %s", batch.pk, error.code)
        for document in sent:
            leave_out(batch, document, error.code)
        mine.change(state=_State.FAILED)
        return False
    mine.change(state=_State.PREPARING)
    return False  # the gateway needs a while


def _set_own_options(account: Account, token: str, batch: Batch, document: Document) -> None:
    """What is filled into this one; if that cannot be said, it is taken out, here and at the gateway."""
    own = filling.write_options(account=account, document=document)
    if not own or document.job_id is None:
        return
    reason = {"reason": batch.reason} if batch.reason else {}
    try:
        gateway.set_own_options(token=token, job_id=document.job_id, options={**own, **reason})
    except _PASSING:
        raise
    except SignappError as error:
        gateway.delete_job(token=token, job_id=document.job_id)
        leave_out(batch, document, error.code)


# --- Prepare ------------------------------------------------------------------------------------------------


def _read_prepared(account: Account, token: str, batch: Batch) -> bool:
    if batch.gateway_id is None:
        raise WrongStateError
    told = read_at_the_gateway(token, batch)
    if told is None:
        return False
    is_over = told.state not in {"open", "preparing"}
    jobs = {job.job_id: job for job in gateway.list_batch_jobs(token=token, batch_id=batch.gateway_id)}
    for document in list_documents(batch):
        job = jobs.get(document.job_id) if document.job_id else None
        if document.state != Document.State.READY:
            continue
        if job is not None and job.state == "prepared":
            _keep_prepared(batch, document, job)
        elif is_over:
            leave_out(batch, document, job.error_code if job is not None and job.error_code else JobLostError.code)
    if is_over:
        _end_preparing(batch, is_prepared=told.state == "prepared", code=told.error_code or JobLostError.code)
    return False


def _end_preparing(batch: Batch, *, is_prepared: bool, code: str) -> None:
    prepared = [document for document in list_documents(batch) if document.state == Document.State.PREPARED]
    if not is_prepared:
        for document in prepared:
            leave_out(batch, document, code)
    state = _State.PREPARED if is_prepared and prepared else _State.FAILED
    Batch.objects.filter(pk=batch.pk, state=_State.PREPARING).change(state=state)


def _keep_prepared(batch: Batch, document: Document, job: wire.BatchJob) -> None:
    if len(job.digest) < wire.MIN_DIGEST:
        log.error("the gateway prepared something else than it was asked to")
        raise ServiceUnavailableError
    Document.objects.filter(pk=document.pk, batch=batch, job_id=job.job_id, state=Document.State.READY).change(
        state=Document.State.PREPARED,
        fingerprint=wire.write_fingerprint(job.digest),
        credential_id=batch.credential_id,
        credential_name=batch.credential_name,
    )


def read_at_the_gateway(token: str, batch: Batch) -> wire.Batch | None:
    """The gateway's batch; if it is gone, everything that was not signed has failed."""
    assert batch.gateway_id is not None  # noqa: S101  (the callers'; tells mypy)
    try:
        return gateway.read_batch(token=token, batch_id=batch.gateway_id)
    except JobLostError as error:
        for document in list_documents(batch):
            if document.state not in (Document.State.SIGNED, Document.State.FAILED):
                leave_out(batch, document, error.code)
        Batch.objects.filter(pk=batch.pk).change(state=_State.FAILED)
        return None


# --- Follow -------------------------------------------------------------------------------------------------


def _fetch_next(account: Account, token: str, batch: Batch) -> bool:
    """One signed document at a time is fetched and kept."""
    signing_now = batch.documents.filter(state=Document.State.SIGNING)
    waiting = {document.job_id: document for document in signing_now}
    if not waiting:
        return _end(token, batch)
    told = read_at_the_gateway(token, batch)
    if told is None or batch.gateway_id is None:
        return False
    for job in gateway.list_batch_jobs(token=token, batch_id=batch.gateway_id):
        if job.job_id in waiting and job.state in {"signed", "failed", "expired"}:
            signing.refresh_document(account=account, token=token, document_id=waiting[job.job_id].pk)
            return True
    return False


def _end(token: str, batch: Batch) -> bool:
    """Nothing is under way any more; the gateway need not keep its copies."""
    is_signed = batch.documents.filter(state=Document.State.SIGNED).exists()
    Batch.objects.filter(pk=batch.pk, state=_State.SIGNING).change(state=_State.ENDED if is_signed else _State.FAILED)
    try:
        if batch.gateway_id is not None:
            gateway.delete_batch(token=token, batch_id=batch.gateway_id)
    except SignappError as error:
        log.info("batch %s is left for the gateway to purge: %s", batch.gateway_id, error.code)
    return False
