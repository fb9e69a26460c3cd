"""What beat rings by the hour."""

from celery import shared_task

from signapp.services import clearing


@shared_task(name="signapp.clear_expired")  # type: ignore[untyped-decorator]  # Celery has no types
def clear_expired() -> None:
    clearing.clear_expired()
