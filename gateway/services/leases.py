"""Leases on jobs of a batch: several at once, by a conditional UPDATE, for a step that one thread takes."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from gateway.models import ChangingQuerySet, Job
from gateway.services import crews

LEASE = timedelta(seconds=120)
# Of one step: so much is done again if a worker dies, and so much is looked at together.
_MOST_DOCUMENTS = 16
_MOST_BYTES = 8_000_000


@dataclass(frozen=True)
class Lease:
    """``job_ids`` were taken under ``id``, in the batch's order. Who takes one of them over changes its lease."""

    id: uuid.UUID
    job_ids: Sequence[uuid.UUID]

    def rows(self, state: str) -> ChangingQuerySet:
        """Those in ``state`` that are held still."""
        return Job.objects.filter(pk__in=self.job_ids, lease_id=self.id, state=state)

    def jobs(self, state: str, *documents: str) -> list[Job]:
        """The same, read with these documents, in the batch's order."""
        # By their identifiers alone: SQLite would rather look through all jobs in that state.
        found = Job.objects.filter(pk__in=self.job_ids).select_related(*documents)
        held = [job for job in found if job.lease_id == self.id and job.state == state]
        return sorted(held, key=lambda job: job.position)

    def row(self, job: Job) -> ChangingQuerySet:
        """The one, if it is held still."""
        return Job.objects.filter(pk=job.pk, lease_id=self.id, state=job.state)

    def give_back(self, jobs: Sequence[Job], **values: Any) -> None:
        """Those that were not begun: whoever comes next may take them at once."""
        if jobs:
            Job.objects.filter(pk__in=[job.pk for job in jobs], lease_id=self.id).change(lease_id=None, **values)


def take_lease(
    waiting: ChangingQuerySet,
    *,
    choose: Callable[[Sequence[tuple[uuid.UUID, int]]], Sequence[uuid.UUID]],
    most: int | None = None,
    **values: Any,
) -> Lease | None:
    """A lease on some of the jobs ``waiting``, which take ``values`` with it; None if there is none to take. ``choose``
    says which of the first ``most`` it is to be, from their identifiers and sizes in bytes."""
    lease_id = uuid.uuid4()
    with transaction.atomic(using=router.db_for_write(Job)):
        # Locked in one order, so that those who choose at once wait for one another instead of both for ever.
        listed = waiting.select_for_update().order_by("position").values_list("pk", "document_size")
        chosen = choose(list(listed[:most]))
        held = {"lease_id": lease_id, "lease_until": timezone.now() + LEASE}
        if not chosen or not waiting.filter(pk__in=chosen).change(**held, **values):
            return None
    return Lease(lease_id, chosen)


def take_step(waiting: ChangingQuerySet, **values: Any) -> Lease | None:
    """A lease on documents for one step with files: this thread's share of what is left, so that none is without work
    at the end."""
    most = _MOST_DOCUMENTS * crews.LANES
    return take_lease(waiting, choose=_share, most=most, **values)


def _share(waiting: Sequence[tuple[uuid.UUID, int]]) -> Sequence[uuid.UUID]:
    share = -(-len(waiting) // crews.LANES)
    chosen: list[uuid.UUID] = []
    total = 0
    for job_id, size in waiting[:share]:
        total += size
        if chosen and total > _MOST_BYTES:
            break
        chosen.append(job_id)
    return chosen
