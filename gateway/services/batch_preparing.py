"""A step of a batch's preparing: some documents, one after the other, and then their rows together."""

import base64
import logging
from dataclasses import replace

from django.db.models import F, Q
from django.utils import timezone

from gateway.errors import GatewayError, HostilePdfError, StorageFullError
from gateway.models import Batch, Job
from gateway.pades.options import SignatureOptions
from gateway.services import signing
from gateway.services.bell import ring_batch
from gateway.services.crews import in_time
from gateway.services.keeping import Made
from gateway.services.leases import Lease, take_step
from gateway.services.preparing import Plan, keep_prepared, make_prepared

log = logging.getLogger(__name__)

_MOST_ATTEMPTS_TO_PREPARE = 4


def prepare_some(batch: Batch) -> bool:
    """Whether there were documents to prepare that nobody held."""
    plan = _plan(batch)
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    lease = take_step(Job.objects.filter(free, batch=batch, state=Job.State.OPEN))
    if lease is None:
        return False
    # Of the delivery that this thread works for no other worker knows: who is free may take a step too.
    ring_batch(batch.pk)
    jobs = lease.jobs(Job.State.OPEN, "original")
    made: list[Made] = []
    try:
        for job in in_time(jobs):
            made += _prepare(lease, job, plan)
    finally:
        # Also where one fails in a way that nobody thought of: its lease runs out, and the others are none the worse.
        keep_prepared(made=made, states=[Job.State.OPEN], lease_id=lease.id)
        lease.give_back(jobs, lease_until=None)
    return True


def _prepare(lease: Lease, job: Job, plan: Plan) -> list[Made]:
    """The prepared document; none if it cannot be prepared, which its row then says."""
    if job.own_options is not None:
        plan = replace(plan, options=SignatureOptions.from_json(job.own_options))
    try:
        return [make_prepared(job=job, plan=plan)]
    except (StorageFullError, OSError) as error:
        # The lease runs out, and then it is tried again.
        log.warning("job %s: not prepared: %s", job.pk, type(error).__name__)
    except HostilePdfError as error:
        # It was read whole when it came, so it may be the machine that is too busy.
        if job.attempts + 1 >= _MOST_ATTEMPTS_TO_PREPARE:
            signing.fail(lease.row(job), error)
        lease.row(job).change(attempts=F("attempts") + 1, lease_id=None, lease_until=None)
    except GatewayError as error:
        log.info("job %s: cannot be prepared: %s", job.pk, error.code)
        signing.fail(lease.row(job), error)
    return []


def _plan(batch: Batch) -> Plan:
    return Plan(
        credential_id=batch.credential_id,
        chosen_credential_id=batch.credential_id,
        credential_label=batch.credential_label,
        chain=tuple(base64.b64decode(certificate) for certificate in batch.certificate_chain),
        sign_algo=batch.sign_algo,
        hash_algorithm_oid=batch.hash_algorithm_oid,
        level=batch.level,
        best_effort=batch.level_best_effort,
        options=SignatureOptions.from_json(batch.options),
    )
