"""``python -m tests.gateway.lease_taking JOBS THREADS``: threads take leases on the documents of one batch at once,
until nobody finds any, and what each took goes to the standard output as JSON."""

import json
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.db import connections  # noqa: E402
from django.db.models import F  # noqa: E402

from gateway.models import Batch, Job, retention_end  # noqa: E402
from gateway.services import crews  # noqa: E402
from gateway.services.leases import take_lease, take_step  # noqa: E402


def main(jobs: int, threads: int) -> None:
    crews.LANES = threads
    mine = {"issuer": "https://issuer.example", "subject": "alice", "expires_at": retention_end()}
    batch = Batch.objects.create(policy="best_effort", state="preparing", **mine)
    document = {"document_name": "Lease.pdf", "document_pages": 1, "document_size": 1000, "document_sha256": "0" * 64}
    Job.objects.bulk_create(Job(batch=batch, position=number, **document, **mine) for number in range(jobs))
    together = threading.Barrier(threads)

    def take(_number: int) -> list[list[str]]:
        try:
            together.wait(60)
            return [list(step_by_step(batch.pk)), list(some_by_some(batch.pk, together))]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        sys.stdout.write(json.dumps(list(pool.map(take, range(threads)))))
    held = Job.objects.filter(attempts=1, state="signing").exclude(lease_id=None).count()
    sys.stdout.write(f"\n{held}\n")


def step_by_step(batch_id: uuid.UUID) -> list[str]:
    """As documents are prepared and finished."""
    taken: list[str] = []
    while (lease := take_step(Job.objects.filter(batch=batch_id, state="open", lease_id=None))) is not None:
        taken += map(str, lease.job_ids)
    return taken


def some_by_some(batch_id: uuid.UUID, together: threading.Barrier) -> list[str]:
    """As signatures are asked for."""
    together.wait(60)
    taken: list[str] = []
    waiting = Job.objects.filter(batch=batch_id, state="open")
    change = {"state": "signing", "attempts": F("attempts") + 1}
    while (lease := take_lease(waiting, choose=lambda found: [pk for pk, _ in found], most=7, **change)) is not None:
        taken += map(str, lease.job_ids)
    return taken


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
