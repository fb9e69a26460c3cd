"""Which documents wait for somebody's signature, and a batch of them."""

import logging
import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from signapp.clients import gateway
from signapp.errors import (
    BatchNotFoundError,
    DocumentBusyError,
    DocumentNotFoundError,
    JobLostError,
    NothingToSignError,
    SignappError,
    TooManyTogetherError,
    WrongStateError,
)
from signapp.models import Batch, Document, Envelope, Recipient
from signapp.models.batches import OPEN, UNDECIDED
from signapp.models.documents import ChangingQuerySet
from signapp.services.documents import drop_job
from signapp.services.envelopes import turns
from signapp.services.logins import Account
from signapp.services.signing import NO_ATTEMPT

log = logging.getLogger(__name__)

MOST_DOCUMENTS = 200
_WAITS = (Document.State.READY, Document.State.PREPARED, Document.State.FAILED)


def waiting(*, account: Account, envelope_id: uuid.UUID | None = None) -> ChangingQuerySet:
    """What this person can sign now: their own documents, and their turns in envelopes, or in one; not what is in a
    batch already."""
    turn = Q(recipient__state=Recipient.State.ACTIVE, part__envelope__state=Envelope.State.SENT)
    found: ChangingQuerySet = Document.objects.filter(issuer=account.issuer, subject=account.subject, state__in=_WAITS)
    found = found.filter(Q(part=None) | turn).exclude(batch__state__in=OPEN)
    if envelope_id is not None:
        found = found.filter(part__envelope=envelope_id)
    return found.select_related("part__envelope").order_by("part__envelope__sent_at", "part__position", "-created")


def open_batch(
    *,
    account: Account,
    token: str,
    document_ids: Sequence[uuid.UUID],
    credential_id: str,
    credential_name: str,
    reason: str = "",
) -> Batch:
    """A batch of these documents, in this order. What was prepared of one alone is forgotten.

    Raises `NothingToSignError`, `TooManyTogetherError`, `DocumentNotFoundError` if one is not there or waits for
    somebody else; then nothing is changed.
    """
    if not document_ids:
        raise NothingToSignError
    if len(document_ids) > MOST_DOCUMENTS:
        raise TooManyTogetherError
    with transaction.atomic(using=Document.objects.db):
        found = {document.pk: document for document in waiting(account=account).filter(pk__in=document_ids)}
        if set(found) != set(document_ids):
            raise DocumentNotFoundError
        batch: Batch = Batch.objects.create(
            issuer=account.issuer,
            subject=account.subject,
            credential_id=credential_id,
            credential_name=credential_name[:255],
            reason=reason,
        )
        for position, document_id in enumerate(found_in_order(document_ids)):
            document = found[document_id]
            # Still as it was read: a signature that began meanwhile is not taken along.
            same = Document.objects.filter(pk=document_id, state=document.state, job_id=document.job_id)
            attempt = {"state": Document.State.READY, "error_code": "", "error_message": "", **NO_ATTEMPT}
            if not same.change(batch=batch, batch_position=position, **attempt):
                raise WrongStateError
    for document in found.values():
        if document.job_id is not None:
            _forget(token, document.job_id)
    return batch


def found_in_order(document_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Each once."""
    return list(dict.fromkeys(document_ids))


def _forget(token: str, job_id: uuid.UUID) -> None:
    try:
        drop_job(token=token, job_id=job_id)
    except SignappError as error:
        log.warning("job %s is left for the gateway to purge: %s", job_id, error.code)


def find_batch(*, account: Account, batch_id: uuid.UUID) -> Batch:
    """Raises `BatchNotFoundError` if there is none or it is somebody else's."""
    found: Batch | None = Batch.objects.filter(issuer=account.issuer, subject=account.subject, pk=batch_id).first()
    if found is None:
        raise BatchNotFoundError
    return found


def list_open(*, account: Account) -> list[Batch]:
    """Those that this person has begun and not ended, the newest first."""
    found = Batch.objects.filter(issuer=account.issuer, subject=account.subject, state__in=OPEN)
    return list(found.order_by("-created")[:5])


def list_documents(batch: Batch) -> list[Document]:
    """In the batch's order."""
    found = batch.documents.select_related("part__envelope", "part__current", "original", "recipient")
    return list(found.order_by("batch_position", "pk"))


def cancel_batch(*, account: Account, token: str, batch_id: uuid.UUID) -> None:
    """The documents are as they were. Raises `DocumentBusyError` once they are approved, `WrongStateError` when they
    are signed."""
    batch = find_batch(account=account, batch_id=batch_id)
    if batch.state == Batch.State.SIGNING:
        raise DocumentBusyError
    if batch.state not in (*UNDECIDED, Batch.State.FAILED):
        raise WrongStateError
    if batch.gateway_id is not None:
        _delete_at_the_gateway(token, batch.gateway_id)
    release_documents(batch)


def release_documents(batch: Batch) -> None:
    """Deletes the batch as it was read; what is not signed is as it was. Raises `DocumentBusyError` if it went on."""
    with transaction.atomic(using=Batch.objects.db):
        changed = Batch.objects.filter(pk=batch.pk, state=batch.state).change(state=Batch.State.FAILED)
        if not changed:
            raise DocumentBusyError
        documents = list_documents(batch)
        undone = batch.documents.exclude(state__in=(Document.State.SIGNING, Document.State.SIGNED))
        undone.update(batch=None, state=Document.State.READY, error_code="", error_message="", **NO_ATTEMPT)
        batch.delete()
    for document in documents:
        turns.loosen(document)


def _delete_at_the_gateway(token: str, gateway_id: uuid.UUID) -> None:
    try:
        gateway.delete_batch(token=token, batch_id=gateway_id)
    except JobLostError:
        return
    except WrongStateError:
        raise DocumentBusyError from None
