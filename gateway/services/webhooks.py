"""Clients' addresses, and sending to them. A delivery's row is the truth: who sends it moves its next attempt ahead
first, by a conditional UPDATE, so that whoever dies leaves it to be sent again."""

import logging
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from gateway import documents
from gateway.clients import webhooks
from gateway.errors import GatewayError, OutboundError, OutboundRefusedError, OutboundStatusError
from gateway.models import ClientPolicy, WebhookDelivery, WebhookEndpoint
from gateway.services.bell import ring_webhook

log = logging.getLogger(__name__)

# After each attempt that failed; after the last one it is given up. A little over three days in all.
DELAYS = tuple(timedelta(seconds=each) for each in (5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
_LEASE = timedelta(seconds=60)
_QUIET = timedelta(minutes=5)
_SECONDS = 20.0
_FORMER_SECRET = timedelta(hours=24)
_KEPT = timedelta(days=30)
_GONE = 410
_State = WebhookDelivery.State


def add_endpoint(*, client: ClientPolicy, url: str, events: Sequence[str]) -> tuple[WebhookEndpoint, str]:
    """The address and its secret, which is told only here. Raises `OutboundRefusedError` for one that could not be
    called; where its name leads is looked at with every call."""
    refuse_address(url=url)
    secret = webhooks.make_secret()
    endpoint: WebhookEndpoint = WebhookEndpoint.objects.create(
        client=client, url=url, events=list(events), secret=documents.encrypt_text(secret)
    )
    return endpoint, secret


def refuse_address(*, url: str) -> None:
    """Raises `OutboundRefusedError` unless it is https, or an origin that an operator vouches for."""
    if url.partition(":")[0] not in webhooks.allowed_for(url).schemes:
        raise OutboundRefusedError("The address is not https.")


def renew_secret(*, endpoint: WebhookEndpoint) -> str:
    """A new secret; the former one signs beside it for a day."""
    secret = webhooks.make_secret()
    WebhookEndpoint.objects.filter(pk=endpoint.pk).change(
        secret=documents.encrypt_text(secret),
        former_secret=endpoint.secret,
        former_until=timezone.now() + _FORMER_SECRET,
    )
    return secret


def send_again(*, delivery: WebhookDelivery) -> None:
    """From the first attempt on, under the same id, so that a receiver that had it can drop it."""
    WebhookDelivery.objects.filter(pk=delivery.pk).change(
        state=_State.WAITING, attempts=0, next_attempt_at=timezone.now()
    )
    WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).change(quiet_until=None)
    ring_webhook(delivery.endpoint_id)


def deliver(*, endpoint_id: uuid.UUID) -> None:
    """What waits for this address, for a while; after a failure nothing more is sent for now."""
    ends = time.monotonic() + _SECONDS
    while (held := _claim(endpoint_id)) is not None and _attempt(held):
        if time.monotonic() > ends:
            ring_webhook(endpoint_id)
            return


def _claim(endpoint_id: uuid.UUID) -> WebhookDelivery | None:
    now = timezone.now()
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint_id, state=_State.WAITING, next_attempt_at__lte=now)
    callable_now = waiting.filter(endpoint__active=True, endpoint__client__active=True)
    for delivery in callable_now.exclude(endpoint__quiet_until__gt=now).order_by("next_attempt_at")[:10]:
        this = WebhookDelivery.objects.filter(
            pk=delivery.pk, state=_State.WAITING, next_attempt_at=delivery.next_attempt_at
        )
        if this.change(next_attempt_at=now + _LEASE, attempts=delivery.attempts + 1):
            held: WebhookDelivery | None = WebhookDelivery.objects.select_related("endpoint").get(pk=delivery.pk)
            return held
    return None


def _attempt(delivery: WebhookDelivery) -> bool:
    """Whether it was taken."""
    endpoint = delivery.endpoint
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, state=_State.WAITING)
    try:
        webhooks.send(
            url=endpoint.url,
            signers=_signers(endpoint),
            message_id=f"msg_{delivery.pk.hex}",
            body=delivery.body.encode(),
        )
    except OutboundStatusError as error:
        if error.status == _GONE:
            # Standard Webhooks: who answers this wants nothing more.
            WebhookEndpoint.objects.filter(pk=endpoint.pk).change(active=False)
            mine.change(state=_State.FAILED, outcome=str(error))
            return False
        failure: GatewayError = error
    except OutboundError as error:
        failure = error
    else:
        mine.change(state=_State.DELIVERED, outcome="")
        return True
    log.warning("webhook %s: %s not delivered: %s", endpoint.pk, delivery.event, failure)
    now = timezone.now()
    if delivery.attempts > len(DELAYS):
        mine.change(state=_State.FAILED, outcome=str(failure)[:255])
        return False
    delay = DELAYS[delivery.attempts - 1]
    mine.change(next_attempt_at=now + delay, outcome=str(failure)[:255])
    WebhookEndpoint.objects.filter(pk=endpoint.pk).change(quiet_until=now + min(delay, _QUIET))
    return False


def _signers(endpoint: WebhookEndpoint) -> list[str]:
    kept = [endpoint.secret]
    if endpoint.former_until is not None and endpoint.former_until > timezone.now():
        kept.append(endpoint.former_secret)
    return [documents.decrypt_text(each) for each in kept]


def forget_old_deliveries() -> None:
    """The log is kept for a month."""
    WebhookDelivery.objects.filter(created_at__lt=timezone.now() - _KEPT).delete()
