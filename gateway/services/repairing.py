"""Repair: a step of its own, which somebody asks for and whose result they read."""

from dataclasses import dataclass
from typing import IO

from django.conf import settings

from gateway import documents
from gateway.errors import (
    DamagedPdfError,
    DocumentError,
    DocumentTooLargeError,
    NothingToRepairError,
    RepairablePdfError,
    XfaFormError,
)
from gateway.pades import isolation
from gateway.pades.values import InspectedDocument
from gateway.services.callers import VerifiedCaller
from gateway.services.jobs import inspect_document

_REPAIRABLE = (DamagedPdfError, XfaFormError)


@dataclass(frozen=True)
class Repaired:
    """A document written anew, in a file without a name, which the receiver closes. ``changes`` are of
    `gateway.pades.repair`."""

    file: IO[bytes]
    changes: tuple[str, ...]
    size: int


def inspect_or_offer_repair(*, caller: VerifiedCaller, upload: IO[bytes], password: str = "") -> InspectedDocument:
    """The facts of a document that can be signed. Raises `RepairablePdfError` where it can be once it is repaired,
    which was tried; otherwise as `inspect_document`."""
    try:
        return inspect_document(caller=caller, upload=upload, password=password)
    except _REPAIRABLE as damaged:
        raise _offer(damaged, upload, password) from None


def _offer(damaged: DocumentError, upload: IO[bytes], password: str) -> DocumentError:
    try:
        _repair(upload, password).file.close()
    except DocumentError:
        return damaged
    return RepairablePdfError()


def repair_document(*, caller: VerifiedCaller, upload: IO[bytes], password: str = "") -> Repaired:
    """Raises `NothingToRepairError`, `RepairBreaksSignaturesError`, and what keeps it from being signed even then."""
    try:
        inspect_document(caller=caller, upload=upload, password=password)
    except _REPAIRABLE:
        return _repair(upload, password)
    raise NothingToRepairError


def _repair(upload: IO[bytes], password: str) -> Repaired:
    """What can be signed, or nothing."""
    output = documents.temporary_file()
    try:
        changes = isolation.repair_document(upload, output, password=password)
        facts = isolation.inspect_document(output, max_pages=settings.MAX_DOCUMENT_PAGES, password=password)
        if facts.size > settings.MAX_DOCUMENT_BYTES:
            raise DocumentTooLargeError  # noqa: TRY301  (undone like every other failure)
    except BaseException:
        documents.discard(output)
        raise
    output.seek(0)
    return Repaired(output, changes, facts.size)
