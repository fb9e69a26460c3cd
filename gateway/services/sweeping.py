"""The regular round: rings for work that nobody does, ends what is too late, removes what is kept too long."""

import uuid
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from gateway.errors import ApprovalExpiredError
from gateway.models import ApprovalReturn, Batch, CredentialRequest, Job, KeptAnswer, PasskeyChange, UsedProof
from gateway.services.announcing import announce_changes
from gateway.services.bell import ring, ring_batch
from gateway.services.jobs import PREPARABLE, purge
from gateway.services.passwords import forget_old_tries
from gateway.services.signing import fail
from gateway.services.webhooks import forget_old_deliveries

_RUNG_JUST_NOW = timedelta(seconds=5)
_BATCH = 500
# Longer than any proof is good for.
_PROOFS_KEPT = timedelta(minutes=10)


def sweep_jobs() -> int:
    """Answers how many jobs were announced to the workers."""
    now = timezone.now()
    fail(Job.objects.filter(state=Job.State.APPROVED, batch=None, token_expires_at__lte=now), ApprovalExpiredError())
    for job_id in (waiting := _waiting_jobs()):
        ring(job_id)
    for batch_id in _waiting_batches():
        ring_batch(batch_id)
    _end_unsigned_jobs()
    _purge_old_jobs()
    CredentialRequest.objects.filter(expires_at__lte=now).delete()
    UsedProof.objects.filter(used__lt=now - _PROOFS_KEPT).delete()
    PasskeyChange.objects.filter(expires_at__lte=now).delete()
    forget_old_tries()
    KeptAnswer.objects.filter(expires_at__lte=now).delete()
    ApprovalReturn.objects.filter(expires_at__lte=now).delete()
    Job.objects.filter(expires_at__lte=now, idempotency_key__isnull=False).update(idempotency_key=None)
    announce_changes()
    forget_old_deliveries()
    return len(waiting)


def _waiting_jobs() -> list[uuid.UUID]:
    now = timezone.now()
    due = Q(next_attempt_at=None, updated_at__lt=now - _RUNG_JUST_NOW) | Q(next_attempt_at__lte=now)
    # Those of a batch that is worked on are looked at together.
    abandoned = Q(state=Job.State.SIGNING, lease_until__lt=now) & ~Q(batch__state=Batch.State.APPROVED)
    jobs = Job.objects.filter(Q(state=Job.State.APPROVED, batch=None) & due | abandoned)
    return list(jobs.values_list("pk", flat=True)[:_BATCH])


def _waiting_batches() -> list[uuid.UUID]:
    now = timezone.now()
    due = Q(next_attempt_at=None, updated_at__lt=now - _RUNG_JUST_NOW) | Q(next_attempt_at__lte=now)
    working = Batch.objects.filter(state__in=[Batch.State.PREPARING, Batch.State.APPROVED])
    return list(working.filter(due).values_list("pk", flat=True)[:_BATCH])


def _end_unsigned_jobs() -> None:
    too_old = Job.objects.filter(state__in=PREPARABLE, expires_at__lte=timezone.now())
    too_old.change(state=Job.State.EXPIRED, approval_secrets="", approval_id=None)
    unsigned = [Batch.State.OPEN, Batch.State.PREPARING, Batch.State.PREPARED, Batch.State.AUTHORIZING]
    batches = Batch.objects.filter(state__in=unsigned, expires_at__lte=timezone.now())
    batches.change(state=Batch.State.EXPIRED, approval_secrets="", approval_id=None)


def _purge_old_jobs() -> None:
    """Documents and keys of ended jobs go when their retention ends; the row stays as the record of what happened."""
    ended = Job.objects.filter(
        state__in=[Job.State.SIGNED, Job.State.FAILED, Job.State.EXPIRED], expires_at__lte=timezone.now()
    ).exclude(original=None, prepared=None, signed=None)
    for job in ended.select_related("original", "prepared", "signed")[:_BATCH]:
        stored = [job.original, job.prepared, job.signed]
        state = Job.State.EXPIRED if job.state == Job.State.SIGNED else job.state
        Job.objects.filter(pk=job.pk).change(state=state, original=None, prepared=None, signed=None)
        purge(stored)
