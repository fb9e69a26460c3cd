"""Batches: documents that one approval and one token are for. Everything takes the caller first: another user's batch
does not exist.

The approval names every document with its label and its digest, in the batch's order. What a job's own approval is to a
job, it is to all of them: the code is redeemed once, and the token must be for exactly these digests.
"""

import logging
import os
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import router, transaction
from django.db.models import Count
from django.utils import timezone

from gateway import documents
from gateway.clients import authorization_server, rssp
from gateway.clients.authorization_server import PushedRequest
from gateway.errors import (
    ApprovalNotOfferedError,
    ApprovalRefusedError,
    AuthorizationServerNotReachedError,
    BatchNotFoundError,
    CredentialNotUsableError,
    JobNotFoundError,
    WrongStateError,
)
from gateway.models import Batch, Job, retention_end
from gateway.pades.options import SignatureOptions
from gateway.services.announcing import first_announcement
from gateway.services.approving import job_label
from gateway.services.bell import ring_batch
from gateway.services.callers import VerifiedCaller
from gateway.services.jobs import PREPARABLE, find_job, purge
from gateway.services.preparing import encode_chain, is_usable, make_plan
from gateway.wire import TokenAnswer, is_same_approval, signing_details, with_links

log = logging.getLogger(__name__)

_State = Batch.State
_PREPARABLE = (_State.OPEN, _State.PREPARED, _State.AUTHORIZING, _State.FAILED)
_ASKABLE = (_State.PREPARED, _State.AUTHORIZING)
ANSWERED = (_State.APPROVED, _State.ENDED)
_DELETABLE = (*_PREPARABLE, _State.ENDED, _State.EXPIRED)


@dataclass(frozen=True)
class Progress:
    """How many documents are how far."""

    total: int
    states: dict[str, int]
    # Error of whoever did not do their part yet -> documents that wait for them.
    waiting: dict[str, int]


def open_batch(*, caller: VerifiedCaller, job_ids: Sequence[uuid.UUID], policy: str) -> Batch:
    """A batch of jobs of the caller's that are not approved and in no other one, in this order.

    Raises `JobNotFoundError` or `WrongStateError`, or `ApprovalNotOfferedError` where no approval is for several
    signatures; then none of them is changed.
    """
    if settings.EXTERNAL_ISSUER:
        raise ApprovalNotOfferedError
    with transaction.atomic(using=router.db_for_write(Batch)):
        owned = Job.objects.select_for_update().filter(issuer=caller.issuer, subject=caller.subject, pk__in=job_ids)
        found = {job.pk: job for job in owned}
        if len(found) != len(job_ids):
            raise JobNotFoundError
        if any(job.batch_id is not None or job.state not in PREPARABLE for job in found.values()):
            raise WrongStateError
        batch: Batch = Batch.objects.create(
            issuer=caller.issuer,
            subject=caller.subject,
            client_id=caller.client_id,
            announced=first_announcement(client_id=caller.client_id),
            policy=policy,
            expires_at=retention_end(),
        )
        for position, job_id in enumerate(job_ids):
            job = found[job_id]
            job.batch, job.position, job.state = batch, position, Job.State.OPEN
            job.approval_id, job.approval_secrets, job.own_options = None, "", None
        changed = ["batch", "position", "state", "approval_id", "approval_secrets", "own_options"]
        Job.objects.bulk_update(found.values(), changed, batch_size=200)
    return batch


def find_batch(*, caller: VerifiedCaller, batch_id: uuid.UUID) -> Batch:
    """Raises `BatchNotFoundError` if there is none or it is somebody else's."""
    batch: Batch | None = Batch.objects.filter(issuer=caller.issuer, subject=caller.subject, pk=batch_id).first()
    if batch is None:
        raise BatchNotFoundError
    return batch


def read_progress(*, batch: Batch) -> Progress:
    """Counted anew, from the jobs' rows."""
    counted = batch.jobs.values_list("state").annotate(count=Count("pk"))
    states = {str(state): int(count) for state, count in counted}
    waiting = batch.jobs.exclude(waits_for="").values_list("waits_for").annotate(count=Count("pk"))
    return Progress(sum(states.values()), states, {str(code): int(count) for code, count in waiting})


def list_jobs(*, batch: Batch) -> list[Job]:
    """In the batch's order."""
    return list(batch.jobs.select_related("signed").order_by("position", "pk"))


def set_own_options(*, caller: VerifiedCaller, job_id: uuid.UUID, options: SignatureOptions) -> Job:
    """What the signature of one document of a batch says, in the place of what is said for all of them; from the next
    `prepare_batch` on.

    Raises `JobNotFoundError`, `WrongStateError` if it is in no batch, or in one that is being worked on.
    """
    job = find_job(caller=caller, job_id=job_id)
    changed = Job.objects.filter(pk=job.pk, state__in=PREPARABLE, batch__state__in=_PREPARABLE).change(
        own_options=options.to_json()
    )
    if not changed:
        raise WrongStateError
    return find_job(caller=caller, job_id=job_id)


def prepare_batch(
    *,
    caller: VerifiedCaller,
    batch_id: uuid.UUID,
    credential_id: str,
    level: str | None,
    best_effort: bool,
    options: SignatureOptions,
) -> Batch:
    """Batch becomes `preparing`; workers prepare each document, and then it is `prepared`, or `failed` if that cannot
    be. An approval asked for before is then worth nothing.

    A short-lived credential is for one signature and so for no batch: `CredentialNotUsableError`. Raises
    `WrongStateError`, `SigningServiceUnavailableError` too.
    """
    batch = find_batch(caller=caller, batch_id=batch_id)
    if batch.state not in _PREPARABLE:
        raise WrongStateError
    credential = rssp.read_credential(token=caller.token, credential_id=credential_id, is_seal=caller.acts_alone)
    if credential.short_lived or not is_usable(credential):
        raise CredentialNotUsableError
    plan = make_plan(
        credential=credential,
        chosen_credential_id=credential_id,
        level=level or settings.SIGNATURE_LEVEL,
        best_effort=best_effort,
        options=options,
    )
    with transaction.atomic(using=router.db_for_write(Batch)):
        changed = Batch.objects.filter(pk=batch.pk, state__in=_PREPARABLE, token="").change(
            state=_State.PREPARING,
            credential_id=plan.credential_id,
            credential_label=plan.credential_label,
            certificate_chain=encode_chain(plan.chain),
            sign_algo=plan.sign_algo,
            hash_algorithm_oid=plan.hash_algorithm_oid,
            level=plan.level,
            level_best_effort=plan.best_effort,
            options=plan.options.to_json(),
            approval_id=None,
            approval_secrets="",
            error_code="",
            error_message="",
        )
        if not changed:
            raise WrongStateError
        Job.objects.filter(batch=batch, state__in=PREPARABLE).change(
            state=Job.State.OPEN, attempts=0, lease_id=None, lease_until=None
        )
    for _ in range(os.cpu_count() or 1):
        ring_batch(batch.pk)
    return find_batch(caller=caller, batch_id=batch_id)


def _prepared(batch: Batch) -> list[Job]:
    return list(batch.jobs.filter(state=Job.State.PREPARED).order_by("position", "pk"))


def _details(batch: Batch) -> list[dict[str, Any]]:
    return signing_details(
        credential_id=batch.credential_id,
        credential_label=batch.credential_label,
        hash_algorithm_oid=batch.hash_algorithm_oid,
        documents=[(job.digest or "", job_label(job)) for job in _prepared(batch)],
    )


def request_authorization(
    *,
    caller: VerifiedCaller,
    batch_id: uuid.UUID,
    state: str,
    links: Mapping[uuid.UUID, str],
    redirect_uri: str = "",
    approval_id: uuid.UUID | None = None,
) -> PushedRequest:
    """Batch becomes `authorizing`. ``state`` is the caller's own, as are ``links``, where each job's document can be
    read again: those of all or none. Neither is kept. ``redirect_uri`` is as of a job.

    Raises `WrongStateError`, `ApprovalRefusedError`, `AuthorizationServerUnavailableError`.
    """
    batch = find_batch(caller=caller, batch_id=batch_id)
    if batch.state not in _ASKABLE:
        raise WrongStateError
    verifier = secrets.token_urlsafe(48)
    pushed = authorization_server.push_request(
        scope="credential",
        details=with_links(_details(batch), [links.get(job.pk, "") for job in _prepared(batch)]),
        state=state,
        verifier=verifier,
        redirect_uri=redirect_uri,
    )
    asked = Batch.objects.filter(pk=batch.pk, state__in=_ASKABLE, approval_id=batch.approval_id).change(
        state=_State.AUTHORIZING,
        approval_id=approval_id or uuid.uuid4(),
        approval_secrets=documents.encrypt_text(verifier),
        error_code="",
        error_message="",
    )
    if not asked:
        raise WrongStateError
    return pushed


def complete_batch(
    *, caller: VerifiedCaller, batch_id: uuid.UUID, code: str, iss: str, redirect_uri: str = ""
) -> Batch:
    """Redeems the code at once and leaves the signing to workers. Asked again, it answers with the batch as it stands.

    The PKCE verifier is taken by a conditional UPDATE first, as a job's is. Raises as `complete_job` does.
    """
    batch = find_batch(caller=caller, batch_id=batch_id)
    if not secrets.compare_digest(iss.encode(), settings.ISSUER.encode()):
        raise ApprovalRefusedError
    if batch.state in ANSWERED:
        return batch
    if batch.state != _State.AUTHORIZING:
        raise WrongStateError
    this_approval = Batch.objects.filter(pk=batch.pk, state=_State.AUTHORIZING, approval_id=batch.approval_id)
    kept = batch.approval_secrets
    if not kept or not this_approval.filter(approval_secrets=kept).change(approval_secrets=""):
        return find_batch(caller=caller, batch_id=batch_id)
    try:
        answer = authorization_server.redeem_code(
            code=code, verifier=documents.decrypt_text(kept), redirect_uri=redirect_uri
        )
    except AuthorizationServerNotReachedError:
        this_approval.filter(approval_secrets="").change(approval_secrets=kept)
        raise
    _verify_answer(batch, answer)
    with transaction.atomic(using=router.db_for_write(Batch)):
        approved = this_approval.change(
            state=_State.APPROVED,
            token=documents.encrypt_text(answer.access_token),
            token_expires_at=timezone.now() + timedelta(seconds=answer.expires_in),
            attempts=0,
            next_attempt_at=None,
        )
        if not approved:
            raise WrongStateError
        Job.objects.filter(batch=batch, state=Job.State.PREPARED).change(state=Job.State.APPROVED, attempts=0)
    ring_batch(batch.pk)
    return find_batch(caller=caller, batch_id=batch_id)


def _verify_answer(batch: Batch, answer: TokenAnswer) -> None:
    """The token is for these documents, this signer and nothing else."""
    fits = (
        answer.scope.split() == ["credential"]
        and answer.sub == batch.subject
        and is_same_approval(_details(batch), answer.authorization_details)
    )
    if not fits:
        log.warning("batch %s: the token does not fit the approval that was asked for", batch.pk)
        raise ApprovalRefusedError


def delete_batch(*, caller: VerifiedCaller, batch_id: uuid.UUID) -> None:
    """Deletes the batch with its jobs, their documents and keys. While signatures are being made: `WrongStateError`."""
    batch = find_batch(caller=caller, batch_id=batch_id)
    with transaction.atomic(using=router.db_for_write(Batch)):
        held = Batch.objects.select_for_update().filter(pk=batch.pk, state__in=_DELETABLE).first()
        if held is None or held.jobs.filter(state__in=[Job.State.APPROVED, Job.State.SIGNING]).exists():
            raise WrongStateError
        jobs = list(held.jobs.select_related("original", "prepared", "signed"))
        stored = [document for job in jobs for document in (job.original, job.prepared, job.signed)]
        held.jobs.all().delete()
        held.delete()
    purge(stored)
