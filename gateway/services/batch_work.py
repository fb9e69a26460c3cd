"""The workers' part of a batch, in steps that each may be the last one. Rules that hold whatever dies when:

- who prepares documents, asks for signatures of some, or finishes some, holds a lease on the jobs, taken by a
  conditional UPDATE, so that several threads and several workers may be at one batch;
- a step does its documents one after the other and says what became of them at its end, together (`keeping`): a
  document that cannot be done is no other's concern, and what a step did that is not said is done again;
- `signing` is committed before signHash is called, so jobs found there without a signature and with a lease that ran
  out have an unknown outcome, and signHash is not called again for them;
- all or none means one call of signHash, which is all or nothing at the signing service; otherwise a call that fails
  takes its own documents with it and no others.
"""

import uuid

from gateway.errors import BatchIncompleteError, GatewayError
from gateway.models import Batch, ChangingQuerySet, Job
from gateway.services import crews
from gateway.services.batch_preparing import prepare_some
from gateway.services.batch_signing import finish_some, sign_some
from gateway.services.bell import ring_batch

# Of one delivery; then the next one is rung for, so that no task is older than a broker waits for.
_SECONDS = 20.0
_State = Batch.State


def hand_back() -> None:
    """This process is to end: each batch that it works on is left to others after the documents that it is at."""
    crews.end_soon()


def run_batch(*, batch_id: uuid.UUID) -> None:
    """Does what the rows say is to be done now, for a while, on all cores."""
    if _read(batch_id) is None:
        return
    if crews.work_together(on=batch_id, step=lambda thread: _step(batch_id, thread), seconds=_SECONDS):
        ring_batch(batch_id)


def _read(batch_id: uuid.UUID) -> Batch | None:
    return Batch.objects.filter(pk=batch_id, state__in=[_State.PREPARING, _State.APPROVED]).first()


def _step(batch_id: uuid.UUID, thread: int) -> bool:
    """Whether there was something to do. Signatures come before what is done with them, because approvals do not last:
    one thread asks for them first, another one where there is nothing to finish. No more do, however many there are,
    because whoever dies then leaves all that were asked for with an unknown outcome."""
    batch = _read(batch_id)
    if batch is None:
        return False
    if batch.state == _State.PREPARING:
        return prepare_some(batch) or _end_preparing(batch)
    if thread == 0 and sign_some(batch):
        return True
    return finish_some(batch) or (thread == 1 and sign_some(batch)) or _settle(batch)


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


def _settle(batch: Batch) -> bool:
    """The batch's end, when nothing is left to do. Others may still be at the last documents."""
    if not batch.jobs.filter(state__in=[Job.State.APPROVED, Job.State.SIGNING]).exists():
        _end(batch)
    return False


def _end(batch: Batch) -> None:
    """The token goes then."""
    mine = Batch.objects.filter(pk=batch.pk, state=_State.APPROVED)
    all_wanted = batch.policy == Batch.Policy.ALL_OR_NOTHING
    if all_wanted and batch.jobs.exclude(state=Job.State.SIGNED).exists():
        _fail(mine, BatchIncompleteError())
    else:
        mine.change(state=_State.ENDED, token="", sad="")


def _fail(batches: ChangingQuerySet, error: GatewayError) -> None:
    batches.change(state=_State.FAILED, error_code=error.code, error_message=str(error)[:255], token="", sad="")
