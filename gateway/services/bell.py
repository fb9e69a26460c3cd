"""Ringing the worker. The job row is the truth: a bell that nobody hears is rung again by the sweep."""

import logging
import uuid

from celery import current_app

log = logging.getLogger(__name__)


def ring(job_id: uuid.UUID) -> None:
    """Asks a worker to look at the job; never fails."""
    _ring("gateway.run_job", job_id)


def ring_batch(batch_id: uuid.UUID) -> None:
    """Asks a worker to look at the batch; never fails. Several may work on one."""
    _ring("gateway.run_batch", batch_id)


def ring_webhook(endpoint_id: uuid.UUID) -> None:
    """Asks a worker to send what waits for a client's address; never fails."""
    _ring("gateway.deliver_webhooks", endpoint_id)


def _ring(task: str, row_id: uuid.UUID) -> None:
    try:
        current_app.send_task(task, [str(row_id)], retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, the sweep rings again)
        log.warning("%s %s could not be announced: %s", task, row_id, type(error).__name__)
