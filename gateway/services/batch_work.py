"""The workers' part of a batch, in steps that each may be the last one. Rules that hold whatever dies when:

- who prepares a document, or asks for signatures of some, holds a lease on the jobs, taken by a conditional UPDATE, so
  that several workers may be at one batch;
- `signing` is committed before signHash is called, so jobs found there without a signature and with a lease that ran
  out have an unknown outcome, and signHash is not called again for them;
- all or none means one call of signHash, which is all or nothing at the signing service; otherwise a call that fails
  takes its own documents with it and no others.
"""

import base64
import logging
import threading
import time
import uuid
from datetime import timedelta

from django.db import router, transaction
from django.db.models import F, Q
from django.utils import timezone

from gateway import documents
from gateway.clients import rssp
from gateway.errors import (
    ApprovalExpiredError,
    BatchIncompleteError,
    GatewayError,
    HostilePdfError,
    SigningServiceUnavailableError,
    StorageFullError,
    WrongStateError,
)
from gateway.models import Batch, ChangingQuerySet, Job
from gateway.pades.algorithms import parse_algorithm
from gateway.pades.options import SignatureOptions
from gateway.services import signing
from gateway.services.bell import ring_batch
from gateway.services.preparing import Plan, prepare_as_planned

log = logging.getLogger(__name__)

# Of one delivery; then the next one is rung for, so that no task is older than a broker waits for.
_SECONDS = 20.0
_LEASE = timedelta(seconds=120)
_CHUNK = 50
_MOST_ATTEMPTS_TO_PREPARE = 4
_MOST_SECONDS_BETWEEN_ATTEMPTS = 30
_State = Batch.State
_ending = threading.Event()


def hand_back() -> None:
    """This process is to end: each batch that it works on is left to others after the step that it is at."""
    _ending.set()


def run_batch(*, batch_id: uuid.UUID) -> None:
    """Does what the rows say is to be done now, for a while."""
    ends = time.monotonic() + _SECONDS
    while (batch := _read(batch_id)) is not None and _step(batch):
        if time.monotonic() > ends or _ending.is_set():
            ring_batch(batch_id)
            return


def _read(batch_id: uuid.UUID) -> Batch | None:
    return Batch.objects.filter(pk=batch_id, state__in=[_State.PREPARING, _State.APPROVED]).first()


def _step(batch: Batch) -> bool:
    """Whether there was something to do. Signatures come before what is done with them: approvals do not last."""
    if batch.state == _State.PREPARING:
        return _prepare_next(batch) or _end_preparing(batch)
    return _sign_some(batch) or _finish_next(batch) or _settle(batch)


# --- Prepare ------------------------------------------------------------------------------------------------


def _prepare_next(batch: Batch) -> bool:
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    waiting = Job.objects.filter(free, batch=batch, state=Job.State.OPEN)
    job = waiting.select_related("original").order_by("position").first()
    if job is None:
        return False
    lease_id = uuid.uuid4()
    if not waiting.filter(pk=job.pk).change(lease_id=lease_id, lease_until=now + _LEASE):
        return True  # another worker's
    held = Job.objects.filter(pk=job.pk, lease_id=lease_id)
    try:
        prepare_as_planned(job=job, plan=_plan(batch, job))
    except (StorageFullError, OSError) as error:
        # The lease runs out, and then it is tried again.
        log.warning("job %s: not prepared: %s", job.pk, type(error).__name__)
        return True
    except HostilePdfError as error:
        # It was read whole when it came, so it may be the machine that is too busy.
        if job.attempts + 1 >= _MOST_ATTEMPTS_TO_PREPARE:
            signing.fail(held.filter(state=Job.State.OPEN), error)
        held.change(attempts=F("attempts") + 1)
    except WrongStateError:
        log.info("job %s left the batch meanwhile", job.pk)
    except GatewayError as error:
        log.info("job %s: cannot be prepared: %s", job.pk, error.code)
        signing.fail(held.filter(state=Job.State.OPEN), error)
    held.change(lease_id=None, lease_until=None)
    return True


def _plan(batch: Batch, job: Job) -> Plan:
    return Plan(
        credential_id=batch.credential_id,
        chosen_credential_id=batch.credential_id,
        credential_label=batch.credential_label,
        chain=tuple(base64.b64decode(certificate) for certificate in batch.certificate_chain),
        sign_algo=batch.sign_algo,
        hash_algorithm_oid=batch.hash_algorithm_oid,
        level=batch.level,
        best_effort=batch.level_best_effort,
        options=SignatureOptions.from_json(batch.options if job.own_options is None else job.own_options),
    )


def _end_preparing(batch: Batch) -> bool:
    """When every document is prepared or refused. Others may still hold the last ones."""
    states = set(batch.jobs.values_list("state", flat=True))
    if Job.State.OPEN in states:
        return False
    is_whole = Job.State.PREPARED in states and (
        batch.policy == Batch.Policy.BEST_EFFORT or states == {Job.State.PREPARED}
    )
    mine = Batch.objects.filter(pk=batch.pk, state=_State.PREPARING)
    if is_whole:
        mine.change(state=_State.PREPARED)
    else:
        _fail(mine, BatchIncompleteError())
    return False


def _fail(batches: ChangingQuerySet, error: GatewayError) -> None:
    batches.change(state=_State.FAILED, error_code=error.code, error_message=str(error)[:255], token="", sad="")


# --- Sign ---------------------------------------------------------------------------------------------------


def _sign_some(batch: Batch) -> bool:
    """One call of signHash. Whether there was something to sign that can be tried again at once."""
    now = timezone.now()
    waiting = Job.objects.filter(batch=batch, state=Job.State.APPROVED)
    if batch.token_expires_at is not None and batch.token_expires_at <= now:
        return signing.fail(waiting, ApprovalExpiredError())
    if batch.next_attempt_at is not None and batch.next_attempt_at > now:
        return False
    ordered = waiting.order_by("position").values_list("pk", flat=True)
    chosen = list(ordered if batch.policy == Batch.Policy.ALL_OR_NOTHING else ordered[:_CHUNK])
    lease_id = uuid.uuid4()
    if not waiting.filter(pk__in=chosen).change(
        state=Job.State.SIGNING,
        lease_id=lease_id,
        lease_until=now + _LEASE,
        attempts=F("attempts") + 1,
        waits_for="",
    ):
        return False
    held = Job.objects.filter(batch=batch, state=Job.State.SIGNING, lease_id=lease_id)
    jobs = list(held.order_by("position"))
    try:
        values = _ask(batch, jobs)
    except SigningServiceUnavailableError as error:
        seconds = min(2 ** (batch.attempts + 1), _MOST_SECONDS_BETWEEN_ATTEMPTS)
        held.change(state=Job.State.APPROVED, lease_id=None, lease_until=None, waits_for=error.code)
        Batch.objects.filter(pk=batch.pk).change(
            attempts=F("attempts") + 1, next_attempt_at=timezone.now() + timedelta(seconds=seconds)
        )
        log.warning("batch %s: the signing service does not answer; again in %s s", batch.pk, seconds)
        return False
    except GatewayError as error:
        signing.fail(held, error)
        log.warning("batch %s: %s documents not signed: %s", batch.pk, len(jobs), error.code)
        return True
    with transaction.atomic(using=router.db_for_write(Job)):
        for job, value in zip(jobs, values, strict=True):
            held.filter(pk=job.pk).change(signature=value, lease_until=timezone.now())
    ring_batch(batch.pk)
    return True


def _ask(batch: Batch, jobs: list[Job]) -> list[bytes]:
    algorithm = parse_algorithm(certificate=base64.b64decode(batch.certificate_chain[0]), sign_algo=batch.sign_algo)
    return rssp.sign_digests(
        token=documents.decrypt_text(batch.token),
        credential_id=batch.credential_id,
        digests=[base64.b64decode(job.digest or "") for job in jobs],
        hash_algorithm_oid=algorithm.hash_algorithm_oid,
        sign_algo=algorithm.sign_algo,
        sign_algo_params=algorithm.sign_algo_params(),
        sad=documents.decrypt_text(batch.sad) if batch.sad else None,
    )


# --- Finish -------------------------------------------------------------------------------------------------


def _finish_next(batch: Batch) -> bool:
    """A document whose signature is there, or whose worker died while it asked for one."""
    now = timezone.now()
    job_id = (
        Job.objects.filter(batch=batch, state=Job.State.SIGNING, lease_until__lt=now)
        .order_by("position")
        .values_list("pk", flat=True)
        .first()
    )
    if job_id is None:
        return False
    signing.run_job(job_id=job_id)
    return True


def _settle(batch: Batch) -> bool:
    """The batch's end, when nothing is left to do. The token goes then."""
    left = batch.jobs.filter(state__in=[Job.State.APPROVED, Job.State.SIGNING])
    if left.exists():
        return False
    mine = Batch.objects.filter(pk=batch.pk, state=_State.APPROVED)
    all_wanted = batch.policy == Batch.Policy.ALL_OR_NOTHING
    if all_wanted and batch.jobs.exclude(state=Job.State.SIGNED).exists():
        _fail(mine, BatchIncompleteError())
    else:
        mine.change(state=_State.ENDED, token="", sad="")
    return False
