"""What beat rings, and pages when something is to be sent."""

from uuid import UUID

from celery import shared_task

from signapp.services import clearing, exports, leaving
from signapp.services.bulk import clearing as bulk_clearing
from signapp.services.bulk import sending
from signapp.services.envelopes import notices, retention, tending


@shared_task(name="signapp.clear_expired")  # type: ignore[untyped-decorator]  # Celery has no types
def clear_expired() -> None:
    clearing.clear_expired()


@shared_task(name="signapp.send_notices")  # type: ignore[untyped-decorator]  # Celery has no types
def send_notices() -> None:
    notices.send_notices()


@shared_task(name="signapp.send_bulk")  # type: ignore[untyped-decorator]  # Celery has no types
def send_bulk(bulk_id: str) -> None:
    if sending.go_on(UUID(bulk_id)):
        sending.ring(UUID(bulk_id))


@shared_task(name="signapp.tend_envelopes")  # type: ignore[untyped-decorator]  # Celery has no types
def tend_envelopes() -> None:
    tending.follow_signatures()
    tending.tend_envelopes()
    if exports.is_wanted():
        exports.ring()
    for bulk_id in sending.waiting_bulks():
        sending.ring(bulk_id)
    notices.send_notices()


@shared_task(name="signapp.tend_retention")  # type: ignore[untyped-decorator]  # Celery has no types
def tend_retention() -> None:
    retention.tend_retention()
    bulk_clearing.clear_lists()
    leaving.tend_departures()
    notices.send_notices()


@shared_task(name="signapp.build_exports")  # type: ignore[untyped-decorator]  # Celery has no types
def build_exports() -> None:
    exports.build_exports()
