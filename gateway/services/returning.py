"""Approvals whose browser comes back to this role itself: for a program without a page, which asks how its job stands.

The ``state`` names the approval and is known to this role, the authorization server and the browser alone. It is not
bound to a browser: what is signed is what the authorization server showed to the signer, by whatever link they came,
and the token must be the signer's.
"""

import hashlib
import secrets
import uuid
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from gateway.clients.authorization_server import PushedRequest
from gateway.errors import (
    ApprovalDeniedError,
    ApprovalError,
    ApprovalRefusedError,
    AuthorizationServerNotReachedError,
    AuthorizationServerUnavailableError,
    GatewayError,
    JobNotFoundError,
    WrongStateError,
)
from gateway.models import ApprovalReturn, Batch, ChangingQuerySet, Job
from gateway.services import approving, batches
from gateway.services.callers import VerifiedCaller

_KEPT = timedelta(hours=1)


def request_job_authorization(*, caller: VerifiedCaller, job_id: uuid.UUID) -> PushedRequest:
    """As `approving.request_authorization`; the browser comes back here."""
    state, approval_id = secrets.token_urlsafe(32), uuid.uuid4()
    pushed = approving.request_authorization(
        caller=caller,
        job_id=job_id,
        state=state,
        redirect_uri=settings.GATEWAY_REDIRECT_URI,
        approval_id=approval_id,
    )
    _remember(state, approval_id, job_id=job_id)
    return pushed


def request_batch_authorization(*, caller: VerifiedCaller, batch_id: uuid.UUID) -> PushedRequest:
    """As `batches.request_authorization`; the browser comes back here."""
    state, approval_id = secrets.token_urlsafe(32), uuid.uuid4()
    pushed = batches.request_authorization(
        caller=caller,
        batch_id=batch_id,
        state=state,
        links={},
        redirect_uri=settings.GATEWAY_REDIRECT_URI,
        approval_id=approval_id,
    )
    _remember(state, approval_id, batch_id=batch_id)
    return pushed


def _checksum(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _remember(state: str, approval_id: uuid.UUID, **what: uuid.UUID) -> None:
    ApprovalReturn.objects.create(
        state=_checksum(state), approval_id=approval_id, expires_at=timezone.now() + _KEPT, **what
    )


def take_return(*, state: str, code: str, iss: str, error: str) -> None:
    """The browser is back, with a code or an ``error`` (RFC 6749, 4.1.2.1). Opened again, it changes nothing.

    What the signer did not approve can be asked for again, and says why in its ``error``. Raises `JobNotFoundError`
    for a ``state`` that is not known, `WrongStateError` for one whose approval was superseded, approval errors,
    `AuthorizationServerUnavailableError`.
    """
    kept = ApprovalReturn.objects.filter(state=_checksum(state), expires_at__gt=timezone.now()).first()
    if kept is None:
        raise JobNotFoundError
    row: Job | Batch | None = kept.job or kept.batch
    if row is None or row.approval_id != kept.approval_id:
        raise WrongStateError
    caller = VerifiedCaller(row.issuer, row.subject, token="")
    try:
        if error:
            raise ApprovalDeniedError if error == "access_denied" else ApprovalRefusedError
        here = settings.GATEWAY_REDIRECT_URI
        if isinstance(row, Job):
            approving.complete_job(caller=caller, job_id=row.pk, code=code, iss=iss, redirect_uri=here)
        else:
            batches.complete_batch(caller=caller, batch_id=row.pk, code=code, iss=iss, redirect_uri=here)
    except AuthorizationServerNotReachedError:
        raise  # nothing is spent, and the page may be loaded again
    except (ApprovalError, AuthorizationServerUnavailableError) as failure:
        _give_back(row, kept, failure)
        raise


def _give_back(row: Job | Batch, kept: ApprovalReturn, failure: GatewayError) -> None:
    """Prepared, as before it was asked for; whoever asks how it stands is told why."""
    waiting: ChangingQuerySet
    if isinstance(row, Job):
        waiting = Job.objects.filter(pk=row.pk, state=Job.State.AUTHORIZING)
    else:
        waiting = Batch.objects.filter(pk=row.pk, state=Batch.State.AUTHORIZING)
    waiting.filter(approval_id=kept.approval_id).change(
        state="prepared", approval_secrets="", error_code=failure.code, error_message=str(failure)[:255]
    )
