"""The one approval of a batch: asked for, handed on, or denied."""

import secrets
import uuid
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from signapp.clients import gateway
from signapp.errors import (
    ApprovalError,
    ApprovalStaleError,
    ServiceUnavailableError,
    SignappError,
    WrongStateError,
)
from signapp.models import Batch, Document
from signapp.services import pending
from signapp.services.batches.gathering import find_batch, list_documents
from signapp.services.batches.progress import leave_out, read_at_the_gateway
from signapp.services.envelopes import turns
from signapp.services.logins import Account
from signapp.services.signing import APPROVAL_SECONDS

_APPROVABLE = (Batch.State.PREPARED, Batch.State.APPROVING)
_PREPARED = (Document.State.PREPARED, Document.State.APPROVING)


def _taken(batch: Batch) -> list[Document]:
    return [document for document in list_documents(batch) if document.state in _PREPARED]


def begin_approval(*, account: Account, token: str, session: SessionBase, batch_id: uuid.UUID) -> str:
    """The address to send the browser to. ``state`` is bound to this browser, account and batch.

    Raises `WrongStateError` unless it is prepared; `RevisionMovedError`, `TurnTakenError` if somebody else was at one
    of the documents meanwhile, which is left out then; `ServiceUnavailableError`.
    """
    batch = find_batch(account=account, batch_id=batch_id)
    if batch.state not in _APPROVABLE or batch.gateway_id is None:
        raise WrongStateError
    taken = _taken(batch)
    for document in taken:
        _hold(batch, token, document)
    state = secrets.token_urlsafe(32)
    links = {str(each.job_id): f"{settings.SIGNAPP_URL}/documents/{each.pk}" for each in taken}
    approval = gateway.authorize_batch(token=token, batch_id=batch.gateway_id, state=state, links=links)
    if not Batch.objects.filter(pk=batch.pk, state__in=_APPROVABLE).change(state=Batch.State.APPROVING):
        raise WrongStateError
    batch.documents.filter(state=Document.State.PREPARED).update(state=Document.State.APPROVING)
    pending.remember(
        session=session,
        kind=pending.APPROVAL,
        state=state,
        seconds=APPROVAL_SECONDS,
        subject=account.subject,
        batch_id=str(batch.pk),
        gateway_id=str(batch.gateway_id),
    )
    return approval.authorization_url


def _hold(batch: Batch, token: str, document: Document) -> None:
    """Somebody else's revision is nothing that this approval could be for: it is taken out at the gateway too."""
    try:
        turns.hold(document)
    except SignappError as error:
        if document.job_id is not None:
            gateway.delete_job(token=token, job_id=document.job_id)
        leave_out(batch, document, error.code)
        raise


def approve_batch(*, account: Account, token: str, begun: dict[str, Any], code: str, iss: str) -> Batch:
    """Hands the code to the gateway, which redeems it; asked again it redeems nothing. Raises approval errors."""
    batch = find_batch(account=account, batch_id=uuid.UUID(begun["batch_id"]))
    if batch.gateway_id is None or str(batch.gateway_id) != begun["gateway_id"]:
        raise ApprovalStaleError
    if batch.state not in _APPROVABLE:
        return batch
    taken = _taken(batch)
    try:
        for document in taken:
            turns.hold(document, commit=True)
        gateway.complete_batch(token=token, batch_id=batch.gateway_id, code=code, iss=iss)
    except SignappError as error:
        # Whatever the gateway answers, it signs nothing; without an answer nobody knows, until it is asked.
        if type(error) is not ServiceUnavailableError:
            for document in taken:
                turns.loosen(document)
        if isinstance(error, ApprovalError):
            deny_batch(account=account, begun=begun)
        raise
    return _begin_signing(account, batch)


def _begin_signing(account: Account, batch: Batch) -> Batch:
    batch.documents.filter(state__in=_PREPARED).update(state=Document.State.SIGNING)
    Batch.objects.filter(pk=batch.pk, state__in=_APPROVABLE).change(state=Batch.State.SIGNING)
    return find_batch(account=account, batch_id=batch.pk)


def settle_approval(*, account: Account, token: str, batch: Batch) -> Batch:
    """After a code was handed on and no answer came: the batch as the gateway has it.

    Raises `ServiceUnavailableError`.
    """
    if batch.state != Batch.State.APPROVING:
        return batch
    told = read_at_the_gateway(token, batch)
    if told is not None and told.state in {"approved", "ended"}:
        return _begin_signing(account, batch)
    return find_batch(account=account, batch_id=batch.pk)


def deny_batch(*, account: Account, begun: dict[str, Any]) -> None:
    """The approval is over; the documents are as prepared as before."""
    batch = find_batch(account=account, batch_id=uuid.UUID(begun["batch_id"]))
    for document in _taken(batch):
        turns.loosen(document, although_committed=False)
    batch.documents.filter(state=Document.State.APPROVING).update(state=Document.State.PREPARED)
    Batch.objects.filter(pk=batch.pk, state=Batch.State.APPROVING).change(state=Batch.State.PREPARED)
