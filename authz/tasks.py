"""Work beside the requests: housekeeping."""

from celery import shared_task

from authz.services.throttling import clear_throttles
from authz.services.tokens import clear_expired as clear_expired_rows


@shared_task(name="authz.clear_expired")  # type: ignore[untyped-decorator]  # celery carries no types
def clear_expired() -> None:
    """Removes what nothing can be done with any more; answered consents stay, they are evidence."""
    clear_expired_rows()
    clear_throttles()
