"""What beat rings for. No task opens the HSM: only a web process that serves this role does."""

from celery import shared_task

from rssp.services import sweeping


@shared_task(name="rssp.sweep_ledger")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_ledger() -> None:
    """The regular round over the ledger."""
    sweeping.sweep_ledger()
