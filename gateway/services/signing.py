"""The worker's part: one call of signHash for each approval, then the PDF. Rules that hold whatever dies when:

- who works on a job holds a lease, taken by a conditional UPDATE; a second delivery finds nothing to do;
- `signing` is committed before signHash is called, so a job found there without a holder and without a signature
  has an unknown outcome, and signHash is not called again;
- once the signature value is stored, the rest may be done again as often as needed.
"""

import base64
import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from gateway import documents
from gateway.clients import rssp
from gateway.errors import (
    ApprovalExpiredError,
    CertificateRevokedError,
    GatewayError,
    HostilePdfError,
    InvalidSignatureError,
    LevelError,
    OutcomeUnknownError,
    SigningServiceUnavailableError,
    StorageError,
    StorageFullError,
    WrongStateError,
)
from gateway.models import ChangingQuerySet, Job, StoredDocument
from gateway.pades import isolation
from gateway.pades.algorithms import parse_algorithm
from gateway.pades.complete import complete_document
from gateway.pades.covering import Original, hash_original, measure_whole
from gateway.pades.finished import verify_finished
from gateway.pades.levels import Trust, reaches
from gateway.pades.values import PreparedSignature, VerifiedSignedDocument
from gateway.services import levels
from gateway.services.bell import ring
from gateway.services.callers import VerifiedCaller
from gateway.services.jobs import find_job
from gateway.services.keeping import Made, keep
from gateway.services.levels import Signers
from gateway.services.trust import list_trust

log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=120)
_RETRY_FINISHING = timedelta(seconds=5)
_MOST_SECONDS_BETWEEN_ATTEMPTS = 30
_MOST_ATTEMPTS_TO_FINISH = 12
# A source that says when to ask again is not tried in vain: it is waited for, so long after the approval ended.
_PATIENCE_WITH_THE_BUSY = timedelta(hours=2)
# About two and a half minutes, or, where a lower level will do, half of one.
_MOST_ATTEMPTS_FOR_LEVEL = 6
_MOST_ATTEMPTS_WITH_BEST_EFFORT = 4


def run_job(*, job_id: uuid.UUID) -> None:
    """Does what the job row says is to be done now, which may be nothing."""
    job = _claim(job_id)
    if job is None:
        return
    if job.signature is None and not _sign(job):
        return
    finish_jobs(jobs=[job], lease_id=job.lease_id)


def _claim(job_id: uuid.UUID) -> Job | None:
    """The job, if this worker now holds it; ends jobs that nobody can work on any more."""
    now = timezone.now()
    jobs = Job.objects.filter(pk=job_id)
    # Of a batch the signatures are asked for together (services/batch_signing.py).
    approved = jobs.filter(state=Job.State.APPROVED, batch=None)
    abandoned = jobs.filter(state=Job.State.SIGNING, lease_until__lt=now)
    lease_id = uuid.uuid4()
    lease = {"lease_id": lease_id, "lease_until": now + _LEASE, "attempts": F("attempts") + 1, "waits_for": ""}
    due = approved.filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)).exclude(token_expires_at__lte=now)
    if due.change(state=Job.State.SIGNING, **lease) or abandoned.exclude(signature=None).change(**lease):
        held: Job | None = jobs.filter(lease_id=lease_id).select_related("original", "prepared", "batch").first()
        return held
    fail(approved.filter(token_expires_at__lte=now), ApprovalExpiredError())
    fail(abandoned.filter(signature=None), OutcomeUnknownError())
    return None


def fail(jobs: ChangingQuerySet, error: GatewayError) -> bool:
    """Ends the jobs of a conditional query set; whether one was ended. The secrets go, the document stays until its
    retention ends."""
    return jobs.change(
        state=Job.State.FAILED,
        error_code=error.code,
        error_message=str(error)[:255],
        token="",
        sad="",
        approval_secrets="",
        lease_id=None,
        lease_until=None,
        waits_for="",
    )


def _held(job: Job) -> ChangingQuerySet:
    """The job's row while this worker's lease stands; no row once another took over."""
    return Job.objects.filter(pk=job.pk, state=Job.State.SIGNING, lease_id=job.lease_id)


def _sign(job: Job) -> bool:
    """Calls signHash, once. Whether the signature value is now stored."""
    chain = _chain(job)
    algorithm = parse_algorithm(certificate=chain[0], sign_algo=job.sign_algo)
    try:
        (value,) = rssp.sign_digests(
            token=documents.decrypt_text(job.token),
            credential_id=job.credential_id or "",
            digests=[base64.b64decode(job.digest or "")],
            hash_algorithm_oid=algorithm.hash_algorithm_oid,
            sign_algo=algorithm.sign_algo,
            sign_algo_params=algorithm.sign_algo_params(),
            sad=documents.decrypt_text(job.sad) if job.sad else None,
        )
    except SigningServiceUnavailableError as error:
        seconds = min(2**job.attempts, _MOST_SECONDS_BETWEEN_ATTEMPTS)
        later = timezone.now() + timedelta(seconds=seconds)
        _held(job).change(
            state=Job.State.APPROVED, lease_id=None, lease_until=None, next_attempt_at=later, waits_for=error.code
        )
        log.warning("job %s: the signing service does not answer; again in %s s", job.pk, seconds)
        return False
    except GatewayError as error:
        fail(_held(job), error)
        log.warning("job %s: not signed: %s", job.pk, error.code)
        return False
    job.signature = value
    return _held(job).change(signature=value, token="", sad="")


def finish_jobs(*, jobs: Iterable[Job], lease_id: uuid.UUID | None) -> None:
    """Embeds, verifies and stores, one after the other; may be repeated. Each job becomes `signed`, or `failed` if the
    result does not verify or the level asked for cannot be reached. All are held by one lease, and what is said of
    those that are signed is said at the end, together: also where one fails in a way that nobody thought of."""
    made: list[Made] = []
    trusted: dict[tuple[bytes, ...], Trust] = {}
    try:
        for job in jobs:
            made += _finish(job, job.level, trusted)
    finally:
        keep(
            made=made,
            states=[Job.State.SIGNING],
            lease_id=lease_id,
            column="signed",
            replaced=["prepared"],
        )


def _finish(job: Job, level: str, trusted: dict[tuple[bytes, ...], Trust], shortfall: str = "") -> list[Made]:
    """The signed document; none if there is none now, which the job's row then says. ``shortfall`` is the error for
    which ``level`` is a lower one."""
    try:
        stored, verified = _complete(job, level, trusted)
    except LevelError as error:
        return _fall_short(job, level, trusted, error)
    except (InvalidSignatureError, StorageError) as error:
        fail(_held(job), error)
        log.error("job %s: no signed document: %s", job.pk, error.code)
        return []
    except (HostilePdfError, StorageFullError, OSError) as error:
        # No room on the disk, or a machine too busy to verify in time: the signature value is kept, so again later.
        log.warning("job %s: not completed: %s", job.pk, type(error).__name__)
        if job.attempts >= _MOST_ATTEMPTS_TO_FINISH:
            fail(_held(job), GatewayError())
        else:
            code = StorageFullError.code if isinstance(error, OSError) else getattr(error, "code", "")
            _held(job).change(lease_until=timezone.now() + _RETRY_FINISHING, waits_for=code)
        return []
    values = {
        "state": Job.State.SIGNED,
        "lease_id": None,
        "lease_until": None,
        "waits_for": "",
        "signed_size": verified.size,
        "signed_sha256": verified.sha256,
        "achieved_level": verified.level,
        "shortfall": shortfall,
        "lasts_until": datetime.fromisoformat(verified.lasts_until),
    }
    return [Made(job.pk, stored, values)]


def _fall_short(job: Job, level: str, trusted: dict[tuple[bytes, ...], Trust], error: LevelError) -> list[Made]:
    """Somebody else did not do their part: again later, then a lower level if that will do, or `failed`. The signature
    value stays, so a failed job can be finished once they do (`finish_job`)."""
    log.warning("job %s: level %s not reached: %s (%s)", job.pk, level, error.code, error)
    if error.retry_after is not None and _is_patient(job):
        # Our own answers an address so many times a minute: who signs a thousand at once waits, and fails none.
        later = timezone.now() + timedelta(seconds=max(1, error.retry_after))
        _held(job).change(lease_until=later, attempts=F("attempts") - 1, waits_for=error.code)
        return []
    most = _MOST_ATTEMPTS_WITH_BEST_EFFORT if job.best_effort else _MOST_ATTEMPTS_FOR_LEVEL
    if job.attempts < most and not isinstance(error, CertificateRevokedError):
        later = timezone.now() + _RETRY_FINISHING * 2 ** (job.attempts - 1)
        _held(job).change(lease_until=later, waits_for=error.code)
    elif not job.best_effort:
        fail(_held(job), error)
    else:
        return _finish(job, error.below, trusted, error.code)
    return []


def _is_patient(job: Job) -> bool:
    approved = job.token_expires_at or (job.batch.token_expires_at if job.batch else None)
    return approved is not None and timezone.now() < approved + _PATIENCE_WITH_THE_BUSY


def _complete(
    job: Job, level: str, trusted: dict[tuple[bytes, ...], Trust]
) -> tuple[StoredDocument, VerifiedSignedDocument]:
    """What the signed document adds to the original, its file stored; the two together verified. ``trusted`` is what
    was read of trust before."""
    chain = _chain(job)
    if (trust := trusted.get(chain)) is None:
        trust = trusted[chain] = list_trust(chain=chain)
    return _complete_lasting(job, level, trust) if reaches(level, "B-T") else _complete_basic(job, trust)


def _complete_basic(job: Job, trust: Trust) -> tuple[StoredDocument, VerifiedSignedDocument]:
    chain, prepared = _chain(job), _prepared(job)
    with documents.open_document(_stored(job.prepared)) as update:
        complete_document(
            update,
            chain=chain,
            sign_algo=job.sign_algo,
            prepared=prepared,
            value=_value(job),
            begin=job.document_size,
        )
        verified = verify_finished(
            update,
            chain=chain,
            sign_algo=job.sign_algo,
            prepared=prepared,
            trust=trust,
            original=_hash_original(job),
            size=job.document_size,
            sha256=job.document_sha256,
        )
        return documents.write_document(update), verified


def _complete_lasting(job: Job, level: str, trust: Trust) -> tuple[StoredDocument, VerifiedSignedDocument]:
    chain, original, value = _chain(job), _stored(job.original), _value(job)
    timestamp = levels.stamp_signature(value=value, trust=trust)
    password = documents.password_of(original)
    with documents.open_document(original, _stored(job.prepared)) as file:
        complete_document(
            file,
            chain=chain,
            sign_algo=job.sign_algo,
            prepared=_prepared(job),
            value=value,
            timestamp=timestamp.token,
        )
        if reaches(level, "B-LT"):
            signers = Signers(chain, timestamp)
            levels.add_evidence(file, level=level, signers=signers, trust=trust, password=password, owner=job)
        verified = isolation.verify_document(
            file,
            chain=chain,
            trust=trust,
            field_name=job.field_name,
            level=level,
            size=job.document_size,
            sha256=job.document_sha256,
            password=password,
            owner=job,
        )
        with documents.cut(file, begin=job.document_size) as update:
            # What a child says of a file that it had is not taken for measured.
            if measure_whole(update, original=_hash_original(job)) != (verified.size, verified.sha256):
                raise InvalidSignatureError
            return documents.write_document(update), verified


def _stored(document: StoredDocument | None) -> StoredDocument:
    if document is None:
        raise StorageError
    return document


def _prepared(job: Job) -> PreparedSignature:
    if job.signed_attributes is None:
        raise StorageError
    return PreparedSignature(bytes(job.signed_attributes), job.reserved_start or 0, job.reserved_end or 0)


def _value(job: Job) -> bytes:
    if job.signature is None:
        raise StorageError
    return bytes(job.signature)


def _hash_original(job: Job) -> Original:
    algorithm = parse_algorithm(certificate=_chain(job)[0], sign_algo=job.sign_algo)
    return hash_original(documents.read_document(_stored(job.original)), hash_name=algorithm.hash_name)


def finish_job(*, caller: VerifiedCaller, job_id: uuid.UUID, best_effort: bool) -> Job:
    """A job that failed when its signature was made already is finished after all: the worker tries again, to reach the
    level that was asked for or, with ``best_effort``, what it can.

    Raises `WrongStateError` if there is no signature, or nothing failed.
    """
    job = find_job(caller=caller, job_id=job_id)
    waiting = Job.objects.filter(pk=job.pk, state=Job.State.FAILED, prepared__isnull=False)
    resumed = waiting.exclude(signature=None).change(
        state=Job.State.SIGNING,
        best_effort=best_effort,
        attempts=0,
        lease_id=None,
        lease_until=timezone.now(),
        error_code="",
        error_message="",
    )
    if not resumed:
        raise WrongStateError
    ring(job.pk)
    return find_job(caller=caller, job_id=job_id)


def _chain(job: Job) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(certificate) for certificate in job.certificate_chain)
