"""Opening, finding, handing out and deleting jobs. Everything takes the caller first: another user's job does not
exist."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from django.conf import settings
from django.db import IntegrityError, router, transaction

from gateway import documents
from gateway.errors import JobNotFoundError, KeyReusedError, NotSignedYetError, StorageError, WrongStateError
from gateway.models import Batch, Job, StoredDocument, retention_end
from gateway.pades import isolation
from gateway.pades.values import InspectedDocument
from gateway.services.announcing import first_announcement
from gateway.services.callers import VerifiedCaller
from gateway.services.limiting import check_room_for_job
from gateway.services.passwords import password_try

PREPARABLE = (Job.State.OPEN, Job.State.PREPARED, Job.State.AUTHORIZING)
ENDED = (Job.State.SIGNED, Job.State.FAILED, Job.State.EXPIRED)


@dataclass(frozen=True)
class Result:
    """A signed document as it is stored, in a file without a name, which the receiver closes; ``password`` opens it."""

    file: IO[bytes]
    name: str
    size: int
    password: str = field(default="", repr=False)


def inspect_document(*, caller: VerifiedCaller, upload: IO[bytes], password: str = "") -> InspectedDocument:
    """The facts of a document that can be signed; keeps nothing. Raises document errors, `TooManyPasswordsError`."""
    with password_try(caller=caller, password=password):
        return isolation.inspect_document(
            upload, max_pages=settings.MAX_DOCUMENT_PAGES, password=password, owner=caller
        )


def open_job(
    *, caller: VerifiedCaller, upload: IO[bytes], name: str, idempotency_key: str | None, password: str = ""
) -> Job:
    """Inspects and keeps the document, with the password that opens it. The same key and document answer with the job
    that exists, as it stands.

    Raises `TooManyDocumentsError`, document errors, `TooManyPasswordsError`; `KeyReusedError` if the key was used for
    another document.
    """
    if idempotency_key and (existing := _find_by_key(caller, idempotency_key)) is not None:
        _size, sha256 = documents.measure(upload)
        inspect_document(caller=caller, upload=upload, password=password)
        return _same_document(existing, sha256)
    check_room_for_job(caller=caller, size=upload.seek(0, os.SEEK_END))
    # Before a child has it, which the document might take over: what comes in is what is kept and signed.
    stored = documents.write_document(upload)
    try:
        facts = inspect_document(caller=caller, upload=upload, password=password)
    except BaseException:
        documents.remove_files([stored.id])
        raise
    if facts.encryption:
        stored.wrapped_password = documents.wrap_password(password)
    job = Job(
        issuer=caller.issuer,
        subject=caller.subject,
        client_id=caller.client_id,
        announced=first_announcement(client_id=caller.client_id),
        idempotency_key=idempotency_key,
        document_name=name,
        document_pages=facts.pages,
        document_size=stored.size,
        document_sha256=stored.sha256,
        original=stored,
        expires_at=retention_end(),
    )
    documents.settle([stored.id])
    try:
        with transaction.atomic(using=router.db_for_write(Job)):
            stored.save(force_insert=True)
            job.save(force_insert=True)
    except IntegrityError:
        # Where the database fails otherwise it may have kept both rows all the same: the file stays, or is swept.
        documents.remove_files([stored.id])
        if (existing := _find_by_key(caller, idempotency_key or "")) is None:
            raise
        return _same_document(existing, stored.sha256)
    return job


def _find_by_key(caller: VerifiedCaller, key: str) -> Job | None:
    mine = Job.objects.filter(issuer=caller.issuer, client_id=caller.client_id, subject=caller.subject)
    return mine.filter(idempotency_key=key).first()


def _same_document(job: Job, sha256: str) -> Job:
    if job.document_sha256 != sha256:
        raise KeyReusedError
    return job


def find_job(*, caller: VerifiedCaller, job_id: uuid.UUID) -> Job:
    """Raises `JobNotFoundError` if there is none or it is somebody else's."""
    owned = Job.objects.filter(issuer=caller.issuer, subject=caller.subject)
    job: Job | None = owned.select_related("original", "prepared", "signed", "batch").filter(pk=job_id).first()
    if job is None:
        raise JobNotFoundError
    return job


def open_result(*, caller: VerifiedCaller, job_id: uuid.UUID) -> Result:
    """Raises `NotSignedYetError`, or `JobNotFoundError` once the document is purged; `StorageError` if not all of it
    is there."""
    job = find_job(caller=caller, job_id=job_id)
    if job.state == Job.State.EXPIRED:
        raise JobNotFoundError
    if job.state != Job.State.SIGNED or job.signed is None or _is_withheld(job):
        raise NotSignedYetError
    stem = job.document_name.removesuffix(".pdf").removesuffix(".PDF")
    parts = [each for each in (job.original, job.signed) if each is not None]
    size = sum(each.size for each in parts)
    if size != job.signed_size:
        # What signing added is no document without the original.
        raise StorageError
    password = documents.password_of(parts[0])
    return Result(documents.open_document(*parts), f"{stem}-signed.pdf", size, password)


def _is_withheld(job: Job) -> bool:
    """Whether it is one of a batch of which all or none is handed out, and another one is not signed."""
    batch = job.batch
    if batch is None or batch.policy != Batch.Policy.ALL_OR_NOTHING:
        return False
    return bool(batch.jobs.exclude(state=Job.State.SIGNED).exists())


def delete_job(*, caller: VerifiedCaller, job_id: uuid.UUID) -> None:
    """Deletes the job, its documents and their keys. While a signature is being made: `WrongStateError`."""
    job = find_job(caller=caller, job_id=job_id)
    stored = [job.original, job.prepared, job.signed]
    rows = Job.objects.filter(pk=job.pk).exclude(state__in=[Job.State.APPROVED, Job.State.SIGNING])
    deleted, _ = rows.exclude(batch__state__in=[Batch.State.AUTHORIZING, Batch.State.APPROVED]).delete()
    if not deleted:
        raise WrongStateError
    purge(stored)


def purge(stored: Sequence[StoredDocument | None]) -> None:
    """The documents' keys and files are gone."""
    documents.delete_documents([document.id for document in stored if document is not None])
