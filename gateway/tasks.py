"""What the workers are rung for. A message carries the job's id alone; delivered twice, it does nothing the second
time."""

import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from gateway import documents
from gateway.services import announcing, archives, batch_work, signing, sweeping, webhooks


@shared_task(name="gateway.run_job")  # type: ignore[untyped-decorator]  # Celery has no types
def run_job(job_id: str) -> None:
    """One step of one job, as its row says."""
    signing.run_job(job_id=uuid.UUID(job_id))
    announcing.announce_changes()


@shared_task(name="gateway.run_batch")  # type: ignore[untyped-decorator]  # Celery has no types
def run_batch(batch_id: str) -> None:
    """Some steps of one batch, as its rows say."""
    batch_work.run_batch(batch_id=uuid.UUID(batch_id))
    announcing.announce_changes()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery has no types
def hand_back(**_signal: Any) -> None:
    """A worker that is asked to end does not finish a thousand documents first."""
    batch_work.hand_back()


@shared_task(name="gateway.deliver_webhooks")  # type: ignore[untyped-decorator]  # Celery has no types
def deliver_webhooks(endpoint_id: str) -> None:
    """What waits for one address of a client's."""
    webhooks.deliver(endpoint_id=uuid.UUID(endpoint_id))


@shared_task(name="gateway.sweep_jobs")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_jobs() -> None:
    """The regular round; beat rings it every few seconds."""
    sweeping.sweep_jobs()


@shared_task(name="gateway.renew_archives")  # type: ignore[untyped-decorator]  # Celery has no types
def renew_archives() -> None:
    """Archived documents whose proofs end before long; beat rings it every hour."""
    archives.renew_archives()


@shared_task(name="gateway.remove_stale_files")  # type: ignore[untyped-decorator]  # Celery has no types
def remove_stale_files() -> None:
    """Files that no row knows; beat rings it every hour, because a store may be long to list."""
    documents.remove_stale_files()
