"""Signatures without a person: a client has the signing service open a seal, and hands the opened activation over.

What opens a seal, a PIN, goes from the client to the signing service and never through this role (CSC API v2,
credentials/authorize); what comes back, the signature activation data, is good for that client, and for the digests or
the number of signatures that it was made for.
"""

import uuid
from datetime import UTC, datetime

from gateway import documents
from gateway.errors import ClientNotAllowedError, WrongStateError
from gateway.models import Job
from gateway.services.bell import ring
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
