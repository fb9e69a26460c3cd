"""Steps of a batch that is approved: signatures for some documents by one call of signHash, and documents that are made
of them."""

import base64
import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from gateway import documents
from gateway.clients import rssp
from gateway.errors import (
    ApprovalExpiredError,
    GatewayError,
    OutcomeUnknownError,
    SigningServiceUnavailableError,
)
from gateway.models import Batch, Job, update_rows
from gateway.pades.algorithms import parse_algorithm
from gateway.services import signing
from gateway.services.bell import ring_batch
from gateway.services.crews import in_time
from gateway.services.leases import Lease, take_lease, take_step

log = logging.getLogger(__name__)

_CHUNK = 50
_MOST_SECONDS_BETWEEN_ATTEMPTS = 30


def sign_some(batch: Batch) -> bool:
    """One call of signHash. Whether there was something to sign that can be tried again at once."""
    now = timezone.now()
    waiting = Job.objects.filter(batch=batch, state=Job.State.APPROVED)
    if batch.token_expires_at is not None and batch.token_expires_at <= now:
        return signing.fail(waiting, ApprovalExpiredError())
    if batch.next_attempt_at is not None and batch.next_attempt_at > now:
        return False
    lease = take_lease(
        waiting,
        choose=lambda listed: [job_id for job_id, _ in listed],
        most=None if batch.policy == Batch.Policy.ALL_OR_NOTHING else _CHUNK,
        state=Job.State.SIGNING,
        attempts=F("attempts") + 1,
        waits_for="",
    )
    if lease is None:
        return False
    held = lease.rows(Job.State.SIGNING)
    digests = dict(held.order_by("position").values_list("pk", "digest"))
    try:
        values = _ask(batch, [base64.b64decode(digest or "") for digest in digests.values()])
    except SigningServiceUnavailableError as error:
        seconds = min(2 ** (batch.attempts + 1), _MOST_SECONDS_BETWEEN_ATTEMPTS)
        held.change(state=Job.State.APPROVED, lease_id=None, lease_until=None, waits_for=error.code)
        Batch.objects.filter(pk=batch.pk, attempts=batch.attempts).change(
            attempts=F("attempts") + 1, next_attempt_at=timezone.now() + timedelta(seconds=seconds)
        )
        log.warning("batch %s: the signing service does not answer; again in %s s", batch.pk, seconds)
        return False
    except GatewayError as error:
        signing.fail(held, error)
        log.warning("batch %s: %s documents not signed: %s", batch.pk, len(digests), error.code)
        return True
    _keep_signatures(lease, dict(zip(digests, values, strict=True)))
    ring_batch(batch.pk)
    return True


def _ask(batch: Batch, digests: Sequence[bytes]) -> list[bytes]:
    algorithm = parse_algorithm(certificate=base64.b64decode(batch.certificate_chain[0]), sign_algo=batch.sign_algo)
    return rssp.sign_digests(
        token=documents.decrypt_text(batch.token),
        credential_id=batch.credential_id,
        digests=digests,
        hash_algorithm_oid=algorithm.hash_algorithm_oid,
        sign_algo=algorithm.sign_algo,
        sign_algo_params=algorithm.sign_algo_params(),
        sad=documents.decrypt_text(batch.sad) if batch.sad else None,
    )


def _keep_signatures(lease: Lease, values: dict[uuid.UUID, bytes]) -> None:
    with transaction.atomic(using=router.db_for_write(Job)):
        asked = lease.rows(Job.State.SIGNING).select_for_update().order_by("position")
        now = timezone.now()
        held = list(asked.values_list("pk", flat=True))
        update_rows(Job, {pk: {"signature": values[pk], "lease_until": now, "updated_at": now} for pk in held})


def finish_some(batch: Batch) -> bool:
    """Documents whose signatures are there, or whose worker died while it asked for them."""
    waiting = Job.objects.filter(batch=batch, state=Job.State.SIGNING, lease_until__lt=timezone.now())
    lease = take_step(waiting.exclude(signature=None), attempts=F("attempts") + 1, waits_for="")
    if lease is None:
        return signing.fail(waiting.filter(signature=None), OutcomeUnknownError())
    jobs = lease.jobs(Job.State.SIGNING, "original", "prepared")
    for job in jobs:
        job.batch = batch
    try:
        signing.finish_jobs(jobs=in_time(jobs), lease_id=lease.id)
    finally:
        lease.give_back(jobs, lease_until=timezone.now(), attempts=F("attempts") - 1)
    return True
