"""The library. Everything takes the account first: another person's document does not exist."""

import logging
import uuid
from dataclasses import replace
from typing import IO

from django.conf import settings
from django.db import transaction

from signapp import documents
from signapp.clients import gateway
from signapp.errors import (
    DocumentBusyError,
    DocumentNotFoundError,
    DocumentRefusedError,
    DocumentTooLargeError,
    JobLostError,
    LibraryFullError,
    ServiceUnavailableError,
    SignedTogetherError,
    StorageError,
    WrongStateError,
)
from signapp.models import Document, StoredFile
from signapp.services.limits import read_limits
from signapp.services.logins import Account
from signapp.wire import Facts, clean_file_name

log = logging.getLogger(__name__)


def add_document(
    *,
    account: Account,
    token: str,
    upload: IO[bytes],
    name: str,
    size: int | None = None,
    password: str = "",
    repair: bool = False,
) -> Document:
    """Has the document inspected, and only then keeps it, encrypted. With ``repair`` one that is damaged is written
    anew, and that is the document then.

    Raises `DocumentRefusedError` (`DocumentTooLargeError` before anything is sent), `TooManyPasswordsError`,
    `LibraryFullError`, `ServiceUnavailableError`, `StorageFullError`; then nothing of it is kept.
    """
    own = Document.objects.filter(issuer=account.issuer, subject=account.subject, part=None)
    if own.count() >= read_limits().library_documents:
        raise LibraryFullError
    facts, stored = keep_upload(token=token, upload=upload, size=size, password=password, repair=repair)
    try:
        created: Document = Document.objects.create(
            issuer=account.issuer,
            subject=account.subject,
            name=clean_file_name(name),
            size=facts.size,
            pages=facts.pages,
            sha256=facts.sha256,
            signatures=facts.signatures,
            encryption=facts.encryption,
            repairs=",".join(facts.repairs),
            original=stored,
        )
    except BaseException:
        documents.delete_file(stored)
        raise
    return created


def keep_upload(
    *, token: str, upload: IO[bytes], size: int | None = None, password: str = "", repair: bool = False
) -> tuple[Facts, StoredFile]:
    """What the gateway says of the file, and the file, encrypted; the caller makes a row for it or deletes it. Raises
    as `add_document`."""
    actual = upload.seek(0, 2)
    if max(actual, size or 0) > settings.MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError
    if not repair:
        return _keep(token, upload, password)
    with documents.scratch_file() as repaired:
        try:
            with documents.writing():
                changes = gateway.repair(token=token, upload=upload, size=actual, password=password, into=repaired)
        except DocumentRefusedError as error:
            if error.code != "nothing_to_repair":
                raise
            return _keep(token, upload, password)
        facts, stored = _keep(token, repaired, password)
        return replace(facts, repairs=changes), stored


def _keep(token: str, upload: IO[bytes], password: str) -> tuple[Facts, StoredFile]:
    facts = gateway.inspect(token=token, upload=upload, size=upload.seek(0, 2), password=password)
    stored = documents.store_file(upload, password=password if facts.encryption else "")
    if (stored.size, stored.sha256) != (facts.size, facts.sha256):
        documents.delete_file(stored)
        log.error("the gateway inspected another document than it was given")
        raise ServiceUnavailableError
    return facts, stored


def list_documents(*, account: Account) -> list[Document]:
    """This person's own, newest first; turns at envelopes are listed with their envelopes."""
    own = Document.objects.filter(issuer=account.issuer, subject=account.subject, part=None)
    return list(own.select_related("batch").order_by("-created"))


def find_document(*, account: Account, document_id: uuid.UUID) -> Document:
    """Raises `DocumentNotFoundError` if there is none or it is somebody else's."""
    owned = Document.objects.filter(issuer=account.issuer, subject=account.subject)
    found: Document | None = (
        owned.select_related("original", "signed", "part__current", "recipient", "batch").filter(pk=document_id).first()
    )
    if found is None:
        raise DocumentNotFoundError
    return found


def refuse_in_batch(document: Document) -> None:
    """What is signed together with others is not touched alone. Raises `SignedTogetherError`."""
    if document.batch is not None and document.batch.is_open:
        raise SignedTogetherError


def open_original(*, account: Account, document_id: uuid.UUID) -> IO[bytes]:
    """The document as it was uploaded; the caller closes it. Raises `DocumentNotFoundError`, `StorageError`."""
    return open_stored(find_document(account=account, document_id=document_id).source)


def open_signed(*, account: Account, document_id: uuid.UUID) -> IO[bytes]:
    """Likewise the signed one; `WrongStateError` while there is none."""
    document = find_document(account=account, document_id=document_id)
    if document.state != Document.State.SIGNED:
        raise WrongStateError
    return open_stored(document.signed)


def open_stored(stored: StoredFile | None) -> IO[bytes]:
    """Raises `StorageError`."""
    if stored is None:
        raise StorageError
    return documents.open_file(stored)


def delete_document(*, account: Account, document_id: uuid.UUID, token: str | None = None) -> None:
    """The document, its files and their keys, and with a token the gateway's copy too. Raises `DocumentBusyError`
    while it is being signed, `WrongStateError` if it belongs to an envelope or is signed together with others."""
    document = find_document(account=account, document_id=document_id)
    if document.part is not None:
        raise WrongStateError  # it is the envelope's
    refuse_in_batch(document)
    if document.state == Document.State.SIGNING:
        raise DocumentBusyError
    if document.job_id is not None and token is not None:
        drop_job(token=token, job_id=document.job_id)
    with transaction.atomic(using=Document.objects.db):
        deleted, _ = Document.objects.filter(pk=document.pk).exclude(state=Document.State.SIGNING).delete()
    if not deleted:
        raise DocumentBusyError
    for stored in (document.original, document.signed):
        documents.delete_file(stored)


def drop_job(*, token: str, job_id: uuid.UUID) -> None:
    """Has the gateway forget its copy; what cannot be dropped now is purged there in time. Raises `DocumentBusyError`
    if it is being signed."""
    try:
        gateway.delete_job(token=token, job_id=job_id)
    except JobLostError:
        return
    except WrongStateError:
        raise DocumentBusyError from None
    except ServiceUnavailableError:
        log.warning("job %s is left for the gateway to purge", job_id)
