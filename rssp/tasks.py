"""What beat rings for. No task opens the HSM: only a web process that serves this role does."""

import logging

from celery import shared_task

from rssp.errors import BellRefusedError
from rssp.services import (
    asynchronous,
    audit_checkpoints,
    clearing,
    expiring,
    issuing,
    one_time,
    requests,
    responding,
    revocation_lists,
    sweeping,
    telling,
    tending,
    timestamping,
)

log = logging.getLogger(__name__)


@shared_task(name="rssp.sweep_ledger")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_ledger() -> None:
    """The regular round over the ledger."""
    sweeping.sweep_ledger()


@shared_task(name="rssp.sweep_calls")  # type: ignore[untyped-decorator]
def sweep_calls() -> None:
    """Calls of mode A whose process is gone, and results that need not be kept any longer."""
    asynchronous.sweep_calls()


@shared_task(name="rssp.notify_clients")  # type: ignore[untyped-decorator]
def notify_clients() -> None:
    """Tells clients that a result of mode A is there."""
    asynchronous.notify_clients()


@shared_task(name="rssp.sweep_requests")  # type: ignore[untyped-decorator]
def sweep_requests() -> None:
    """The regular round over requests for certificates and credentials for one signature: outside authorities are
    asked again and told what was revoked, what is late expires."""
    requests.expire_requests()
    one_time.close_finished()
    issuing.retry_requests()
    telling.tell_revocations()


@shared_task(name="rssp.clear_expired")  # type: ignore[untyped-decorator]
def clear_expired() -> None:
    """Challenges, waiting authorisations and counts that are over."""
    clearing.clear_expired()


@shared_task(name="rssp.renew_revocation_lists")  # type: ignore[untyped-decorator]
def renew_revocation_lists() -> None:
    """Has the web process renew what is stale, by asking for it as anybody would; forgets old OCSP answers."""
    revocation_lists.ring_revocation_lists()
    responding.clear_answers()


@shared_task(name="rssp.clear_timestamps")  # type: ignore[untyped-decorator]  # Celery has no types
def clear_timestamps() -> None:
    """Records of tokens whose retention ended."""
    timestamping.clear_timestamps()


@shared_task(name="rssp.checkpoint_audit")  # type: ignore[untyped-decorator]
def checkpoint_audit() -> None:
    """Writes down where the audit's chains end."""
    audit_checkpoints.make_checkpoint()


@shared_task(name="rssp.warn_of_expiry")  # type: ignore[untyped-decorator]
def warn_of_expiry() -> None:
    """Once a day: operators read which certificates end soon."""
    expiring.warn_operators()


@shared_task(name="rssp.tend_keys")  # type: ignore[untyped-decorator]  # Celery has no types
def tend_keys() -> None:
    """Rings at a web process, which has the token."""
    try:
        tending.ring_for_tending()
    except BellRefusedError as error:
        log.warning("nobody looked after the keys: %s", error)
