"""What clients are told of: events are written down with the change that they tell of, or found by the regular round,
which looks for rows whose state was not announced. So no way in which a job can end is forgotten.

An event tells where something stands, by identifiers, a state and an error's code: never a document, a name or a
person.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from gateway.models import Archive, Batch, ChangingQuerySet, Composed, Job, WebhookDelivery, WebhookEndpoint
from gateway.services.bell import ring_webhook

_JOBS = (Job.State.SIGNED, Job.State.FAILED)
_BATCHES = (Batch.State.PREPARED, Batch.State.ENDED, Batch.State.FAILED)
_MOST = 500


def _endpoints(client_id: str) -> ChangingQuerySet:
    return WebhookEndpoint.objects.filter(client__client_id=client_id, client__active=True, active=True)


_TOLD = Composed(WebhookEndpoint, lambda client_id: _endpoints(client_id).values_list("pk")[:1], 1)


def first_announcement(*, client_id: str) -> str | None:
    """``announced`` of what this client opens: nothing yet, or None, if nobody is told of it."""
    return "" if _TOLD.rows(client_id) else None


def announce_changes() -> None:
    """What ended, and was not told; and rings for what waits to be sent."""
    for job in Job.objects.filter(announced__isnull=False, state__in=_JOBS).exclude(announced=F("state"))[:_MOST]:
        _announce_state(Job.objects.filter(pk=job.pk), job, f"job.{job.state}", _job(job))
    batches = Batch.objects.filter(announced__isnull=False, state__in=_BATCHES).exclude(announced=F("state"))
    for batch in batches[:_MOST]:
        _announce_state(Batch.objects.filter(pk=batch.pk), batch, f"batch.{batch.state}", _batch(batch))
    renewed = Archive.objects.filter(announced__isnull=False).exclude(announced=F("renewals"))
    for archive in renewed[:_MOST]:
        _announce_renewal(archive)
    for endpoint_id in _waiting():
        ring_webhook(endpoint_id)


def announce_prepared(*, job_ids: Sequence[uuid.UUID]) -> None:
    """With the change itself: a job does not stay `prepared` until the round comes by. Of jobs that are something else
    that is left to the round."""
    if not job_ids:
        return
    for job in Job.objects.filter(pk__in=job_ids, announced__isnull=False, state=Job.State.PREPARED):
        _announce_state(Job.objects.filter(pk=job.pk), job, "job.prepared", _job(job))


def _waiting() -> Iterator[Any]:
    now = timezone.now()
    due = WebhookDelivery.objects.filter(state=WebhookDelivery.State.WAITING, next_attempt_at__lte=now)
    due = due.filter(endpoint__active=True, endpoint__client__active=True).exclude(endpoint__quiet_until__gt=now)
    yield from due.values_list("endpoint_id", flat=True).distinct()


def _announce_state(rows: ChangingQuerySet, row: Job | Batch, event: str, data: dict[str, Any]) -> None:
    """Once, whoever comes by at the same time."""
    with transaction.atomic(using=router.db_for_write(WebhookDelivery)):
        # Not `change`: that this was told is no change of the row.
        if rows.filter(state=row.state, announced=row.announced).update(announced=row.state):
            _write(row.client_id, event, data)


def _announce_renewal(archive: Archive) -> None:
    rows = Archive.objects.filter(pk=archive.pk, announced=archive.announced)
    data = {"archive_id": str(archive.pk), "renewals": archive.renewals, "lasts_until": archive.lasts_until.isoformat()}
    with transaction.atomic(using=router.db_for_write(WebhookDelivery)):
        if rows.update(announced=archive.renewals):
            _write(archive.client_id, "archive.renewed", data)


def _job(job: Job) -> dict[str, Any]:
    batch_id = str(job.batch_id) if job.batch_id else None
    return {"job_id": str(job.pk), "batch_id": batch_id, "state": job.state, "error": job.error_code or None}


def _batch(batch: Batch) -> dict[str, Any]:
    return {"batch_id": str(batch.pk), "state": batch.state, "error": batch.error_code or None}


def _write(client_id: str, event: str, data: dict[str, Any]) -> None:
    body = json.dumps({"type": event, "timestamp": timezone.now().isoformat(), "data": data})
    wanted = [endpoint for endpoint in _endpoints(client_id) if event in endpoint.events]
    WebhookDelivery.objects.bulk_create(
        [WebhookDelivery(endpoint=endpoint, event=event, body=body) for endpoint in wanted]
    )
