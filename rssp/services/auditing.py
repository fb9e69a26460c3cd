"""Writing the audit. Refusals of callers that nobody knows go to the log alone, so that a stranger cannot fill it."""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rssp.clients.introspection import VerifiedToken
from rssp.errors import ActivationReplayedError, DigestSpentError, HsmError, RsspError, TamperingError
from rssp.models import Activation, AuditEvent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Which request it was, and from where."""

    request_id: str
    address: str


SYSTEM = Origin(request_id="", address="")


def record_refusal(*, action: str, error: RsspError, token: VerifiedToken, credential_id: str, origin: Origin) -> None:
    """Why a known caller got no signature or credential."""
    result = AuditEvent.Result.REFUSED
    if isinstance(error, ActivationReplayedError | DigestSpentError):
        result = AuditEvent.Result.REPLAY
    elif isinstance(error, TamperingError):
        result = AuditEvent.Result.TAMPERED
        log.critical("credential %s, request %s: %s", credential_id[:64], origin.request_id, error)
    elif isinstance(error, HsmError):
        result = AuditEvent.Result.UNAVAILABLE
    AuditEvent.objects.create(
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
    AuditEvent.objects.bulk_create(events)
