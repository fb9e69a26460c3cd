"""Signatures without a person: a client has the signing service open a seal, and hands the opened activation over.

What opens a seal, a PIN, goes from the client to the signing service and never through this role (CSC API v2,
credentials/authorize); what comes back, the signature activation data, is good for that client, and for the digests or
the number of signatures that it was made for.
"""

import uuid
from datetime import UTC, datetime

from django.db import router, transaction

from gateway import documents
from gateway.errors import ClientNotAllowedError, WrongStateError
from gateway.models import Batch, Job
from gateway.services.batches import ANSWERED, find_batch
from gateway.services.bell import ring, ring_batch
from gateway.services.callers import VerifiedCaller
from gateway.services.jobs import ENDED, find_job

_SEALED = (Job.State.APPROVED, Job.State.SIGNING, *ENDED)


def seal_job(*, caller: VerifiedCaller, job_id: uuid.UUID, sad: str) -> Job:
    """Job becomes `approved`, and a worker signs. Asked again, it answers with the job as it stands.

    The client's token is kept beside ``sad``, encrypted, until the signature is there: the signing service wants both.
    Raises `ClientNotAllowedError` for a person's token, `WrongStateError`.
    """
    job = find_job(caller=caller, job_id=job_id)
    if not caller.acts_alone:
        raise ClientNotAllowedError("Only a client's own token seals; a person approves.")
    if job.state in _SEALED:
        return job
    if job.batch_id is not None:
        raise WrongStateError
    approved = Job.objects.filter(pk=job.pk, state=Job.State.PREPARED, digest=job.digest).change(
        state=Job.State.APPROVED,
        token=documents.encrypt_text(caller.token),
        sad=documents.encrypt_text(sad),
        token_expires_at=datetime.fromtimestamp(caller.expires_at, UTC),
        attempts=0,
        next_attempt_at=None,
    )
    job = find_job(caller=caller, job_id=job_id)
    if approved:
        ring(job.pk)
    elif job.state not in _SEALED:
        raise WrongStateError
    return job


def seal_batch(*, caller: VerifiedCaller, batch_id: uuid.UUID, sad: str) -> Batch:
    """The same for all documents of a batch that are prepared: one activation, for each digest of theirs or for so many
    signatures. Asked again, it answers with the batch as it stands.

    Raises `ClientNotAllowedError`, `WrongStateError`.
    """
    batch = find_batch(caller=caller, batch_id=batch_id)
    if not caller.acts_alone:
        raise ClientNotAllowedError("Only a client's own token seals; a person approves.")
    if batch.state in ANSWERED:
        return batch
    with transaction.atomic(using=router.db_for_write(Batch)):
        approved = Batch.objects.filter(pk=batch.pk, state=Batch.State.PREPARED).change(
            state=Batch.State.APPROVED,
            token=documents.encrypt_text(caller.token),
            sad=documents.encrypt_text(sad),
            token_expires_at=datetime.fromtimestamp(caller.expires_at, UTC),
            attempts=0,
            next_attempt_at=None,
        )
        Job.objects.filter(batch=batch, batch__state=Batch.State.APPROVED, state=Job.State.PREPARED).change(
            state=Job.State.APPROVED, attempts=0
        )
    batch = find_batch(caller=caller, batch_id=batch_id)
    if approved:
        ring_batch(batch.pk)
    elif batch.state not in ANSWERED:
        raise WrongStateError
    return batch
