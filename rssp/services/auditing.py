"""Writing the audit. Refusals of callers that nobody knows go to the log alone, so that a stranger cannot fill it."""

import logging
import os
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, router, transaction

from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationReplayedError,
    DigestSpentError,
    HsmError,
    KeyBindingError,
    RsspError,
    TamperingError,
)
from rssp.models import Activation, AuditEvent
from rssp.models.insertion import insert_rows
from rssp.services.macs import event_facts, make_mac

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Which request it was, and from where."""

    request_id: str
    address: str


SYSTEM = Origin(request_id="", address="")
EPOCH_BEGUN = "restore epoch"
_LOOKED_AT = 1000


def record_refusal(*, action: str, error: RsspError, token: VerifiedToken, credential_id: str, origin: Origin) -> None:
    """Why a known caller got no signature or credential."""
    result = AuditEvent.Result.REFUSED
    if isinstance(error, ActivationReplayedError | DigestSpentError):
        result = AuditEvent.Result.REPLAY
    elif isinstance(error, TamperingError | KeyBindingError):
        result = AuditEvent.Result.TAMPERED
        log.critical("credential %s, request %s: %s", credential_id[:64], origin.request_id, error)
    elif isinstance(error, HsmError):
        result = AuditEvent.Result.UNAVAILABLE
    event = AuditEvent(
        action=action,
        result=result,
        issuer=token.issuer,
        subject=token.subject,
        client_id=token.client_id,
        credential_id=credential_id[:255],
        reason=f"{type(error).__name__}: {error}"[:255],
        address=origin.address,
        request_id=origin.request_id,
    )
    with transaction.atomic(using=router.db_for_write(AuditEvent)):
        record_events([event])


def describe_activation(activation: Activation, *, call: uuid.UUID | None, origin: Origin) -> dict[str, Any]:
    """The members of an event that follow from the authorisation behind it."""
    return {
        "issuer": activation.issuer,
        "subject": activation.subject,
        "factors": activation.factors,
        "client_id": activation.client_id,
        "activation": activation.nonce,
        "call": call,
        "address": origin.address,
        "request_id": origin.request_id,
    }


def record_events(events: Iterable[AuditEvent]) -> None:
    """In the caller's transaction: what is recorded there and what is audited stand or fall together."""
    chain, written = _own_chain(), list(events)
    last, mac = _read_end(chain)
    for number, event in enumerate(written, start=0 if last is None else last + 1):
        event.chain, event.number = chain, number
        event.mac = mac = make_mac("audit event", (mac, *event_facts(event)))
    insert_rows(written)


def _read_end(chain: uuid.UUID) -> tuple[int | None, str]:
    """Number and code of the chain's last event. Written out: the ORM would compile it anew for each signature."""
    connection = connections[router.db_for_write(AuditEvent)]
    adapted = AuditEvent._meta.get_field("chain").get_db_prep_value(chain, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number, mac FROM rssp_auditevent WHERE chain = %s ORDER BY number DESC LIMIT 1", [adapted]
        )
        return cursor.fetchone() or (None, "")


def read_latest_moment() -> datetime | None:
    """The latest that any of the newest entries was written at: time was as late as that once. What was written before
    a restore epoch was begun says nothing, because nothing of before activates a key any more."""
    latest = None
    newest = AuditEvent.objects.order_by("-sequence").values_list("happened", "reason")[:_LOOKED_AT]
    for happened, reason in newest:
        latest = happened if latest is None else max(latest, happened)
        if reason.startswith(EPOCH_BEGUN):
            break
    return latest


class _Own(threading.local):
    pid = 0
    chain = uuid.UUID(int=0)


_own = _Own()


def _own_chain() -> uuid.UUID:
    """This thread's, so that nobody else adds to it and nobody waits. A child process has chains of its own."""
    if _own.pid != os.getpid():
        _own.pid, _own.chain = os.getpid(), uuid.uuid4()
    return _own.chain
