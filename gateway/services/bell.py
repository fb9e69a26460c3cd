"""Ringing the worker. The job row is the truth: a bell that nobody hears is rung again by the sweep."""

import logging
import uuid

from celery import current_app

log = logging.getLogger(__name__)


def ring(job_id: uuid.UUID) -> None:
    """Asks a worker to look at the job; never fails."""
    try:
        current_app.send_task("gateway.run_job", [str(job_id)], retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, the sweep rings again)
        log.warning("job %s could not be announced: %s", job_id, type(error).__name__)
