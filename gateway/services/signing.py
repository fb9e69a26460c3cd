"""The worker's part: one call of signHash for each approval, then the PDF. Rules that hold whatever dies when:

- who works on a job holds a lease, taken by a conditional UPDATE; a second delivery finds nothing to do;
- `signing` is committed before signHash is called, so a job found there without a holder and without a signature
  has an unknown outcome, and signHash is not called again;
- once the signature value is stored, the rest may be done again as often as needed.
"""

import base64
import logging
import uuid
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from gateway import documents
from gateway.clients import rssp
from gateway.errors import (
    ApprovalExpiredError,
    GatewayError,
    HostilePdfError,
    InvalidSignatureError,
    OutcomeUnknownError,
    SigningServiceUnavailableError,
    StorageError,
    StorageFullError,
)
from gateway.models import ChangingQuerySet, Job, StoredDocument
from gateway.pades import isolation
from gateway.pades.algorithms import parse_algorithm
from gateway.pades.complete import complete_document
from gateway.pades.values import PreparedSignature
from gateway.services.jobs import purge
from gateway.services.trust import list_anchors

log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=120)
_RETRY_FINISHING = timedelta(seconds=5)
_MOST_SECONDS_BETWEEN_ATTEMPTS = 30
_MOST_ATTEMPTS_TO_FINISH = 12


def run_job(*, job_id: uuid.UUID) -> None:
    """Does what the job row says is to be done now, which may be nothing."""
    job = _claim(job_id)
    if job is None:
        return
    if job.signature is None and not _sign(job):
        return
    _finish(job)


def _claim(job_id: uuid.UUID) -> Job | None:
    """The job, if this worker now holds it; ends jobs that nobody can work on any more."""
    now = timezone.now()
    jobs = Job.objects.filter(pk=job_id)
    approved = jobs.filter(state=Job.State.APPROVED)
    if fail(approved.filter(token_expires_at__lte=now), ApprovalExpiredError()):
        return None
    abandoned = jobs.filter(state=Job.State.SIGNING, lease_until__lt=now)
    if fail(abandoned.filter(signature=None), OutcomeUnknownError()):
        return None
    lease = {"lease_id": uuid.uuid4(), "lease_until": now + _LEASE, "attempts": F("attempts") + 1}
    due = approved.filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now))
    if due.change(state=Job.State.SIGNING, **lease) or abandoned.change(**lease):
        held: Job | None = jobs.filter(lease_id=lease["lease_id"]).select_related("original", "prepared").first()
        return held
    return None


def fail(jobs: ChangingQuerySet, error: GatewayError) -> bool:
    """Ends the jobs of a conditional query set; whether one was ended. The secrets go, the document stays until its
    retention ends."""
    return jobs.change(
        state=Job.State.FAILED,
        error_code=error.code,
        error_message=str(error)[:255],
        token="",
        approval_secrets="",
        lease_id=None,
        lease_until=None,
    )


def _held(job: Job) -> ChangingQuerySet:
    """The job's row while this worker's lease stands; no row once another took over."""
    return Job.objects.filter(pk=job.pk, state=Job.State.SIGNING, lease_id=job.lease_id)


def _sign(job: Job) -> bool:
    """Calls signHash, once. Whether the signature value is now stored."""
    chain = _chain(job)
    algorithm = parse_algorithm(certificate=chain[0], sign_algo=job.sign_algo)
    try:
        value = rssp.sign_digest(
            token=documents.decrypt_text(job.token),
            credential_id=job.credential_id or "",
            digest=base64.b64decode(job.digest or ""),
            hash_algorithm_oid=algorithm.hash_algorithm_oid,
            sign_algo=algorithm.sign_algo,
            sign_algo_params=algorithm.sign_algo_params(),
        )
    except SigningServiceUnavailableError:
        seconds = min(2**job.attempts, _MOST_SECONDS_BETWEEN_ATTEMPTS)
        later = timezone.now() + timedelta(seconds=seconds)
        _held(job).change(state=Job.State.APPROVED, lease_id=None, lease_until=None, next_attempt_at=later)
        log.warning("job %s: the signing service does not answer; again in %s s", job.pk, seconds)
        return False
    except GatewayError as error:
        fail(_held(job), error)
        log.warning("job %s: not signed: %s", job.pk, error.code)
        return False
    job.signature = value
    return _held(job).change(signature=value, token="")


def _finish(job: Job) -> None:
    """Embeds, verifies and stores; may be repeated. Job becomes `signed`, or `failed` if the result does not verify."""
    try:
        stored = _complete(job)
    except (InvalidSignatureError, StorageError) as error:
        fail(_held(job), error)
        log.error("job %s: no signed document: %s", job.pk, error.code)
        return
    except (HostilePdfError, StorageFullError, OSError) as error:
        # No room on the disk, or a machine too busy to verify in time: the signature value is kept, so again later.
        log.warning("job %s: not completed: %s", job.pk, type(error).__name__)
        if job.attempts >= _MOST_ATTEMPTS_TO_FINISH:
            fail(_held(job), GatewayError())
        else:
            _held(job).change(lease_until=timezone.now() + _RETRY_FINISHING)
        return
    ended = _held(job).change(
        state=Job.State.SIGNED, signed=stored, original=None, prepared=None, lease_id=None, lease_until=None
    )
    purge([job.original, job.prepared] if ended else [stored])


def _complete(job: Job) -> StoredDocument:
    """The signed document, verified and stored."""
    if job.prepared is None or job.signature is None or job.signed_attributes is None:
        raise StorageError
    chain = _chain(job)
    prepared = PreparedSignature(bytes(job.signed_attributes), job.reserved_start or 0, job.reserved_end or 0)
    with documents.open_document(job.prepared) as file:
        complete_document(file, chain=chain, sign_algo=job.sign_algo, prepared=prepared, value=bytes(job.signature))
        verified = isolation.verify_document(
            file,
            chain=chain,
            anchors=list_anchors(chain=chain),
            field_name=job.field_name,
            size=job.document_size,
            sha256=job.document_sha256,
        )
        stored = documents.store_document(file)
    if stored.sha256 != verified.sha256:
        purge([stored])
        raise InvalidSignatureError
    return stored


def _chain(job: Job) -> list[bytes]:
    return [base64.b64decode(certificate) for certificate in job.certificate_chain]
