"""Documents that are kept signed: made B-LTA, and renewed before their last proof ends (EN 319 142-1, 5.5)."""

import base64
import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import IO

from django.conf import settings
from django.utils import timezone

from gateway import documents
from gateway.clients import rssp
from gateway.errors import DocumentError, GatewayError, InvalidSignatureError, JobNotFoundError
from gateway.models import Archive, StoredDocument
from gateway.pades import isolation
from gateway.pades.levels import Trust
from gateway.pades.values import VerifiedSignedDocument
from gateway.services import levels, passwords
from gateway.services.announcing import first_announcement
from gateway.services.callers import VerifiedCaller
from gateway.services.evidence import gather_evidence
from gateway.services.jobs import open_result
from gateway.services.limiting import check_room_for_archive
from gateway.services.trust import list_trust

log = logging.getLogger(__name__)

_AGAIN = timedelta(hours=1)
_SOONEST = timedelta(days=1)
_BATCH = 200


def archive_document(*, caller: VerifiedCaller, upload: IO[bytes], name: str, password: str = "") -> Archive:
    """Makes a signed document B-LTA and keeps it, with the password that opens it. Its chains must end where the
    caller's own credentials' do, or in an anchor.

    Raises `TooManyDocumentsError`, document errors, `NotSignedError`, `BrokenSignatureError`, `TooManyPasswordsError`,
    children of `LevelError`.
    """
    size, sha256 = documents.measure(upload)
    check_room_for_archive(caller=caller, size=size)
    credentials = rssp.list_credentials(token=caller.token, seal_owner=caller.seal_owner).credentials
    roots = list(dict.fromkeys(credential.chain[-1] for credential in credentials if credential.chain))
    with passwords.password_try(caller=caller, password=password):
        signatures, verified = _extend(upload, roots, size, sha256, password, caller)
    stored = documents.store_document(upload, password=password)
    return Archive.objects.create(
        issuer=caller.issuer,
        subject=caller.subject,
        client_id=caller.client_id,
        announced=None if first_announcement(client_id=caller.client_id) is None else 0,
        name=name,
        document=stored,
        roots=[base64.b64encode(root).decode() for root in roots],
        signatures=signatures,
        **_ends(verified),
    )


def archive_job(*, caller: VerifiedCaller, job_id: uuid.UUID) -> Archive:
    """The same with the result of a job, which its retention does not touch then. Raises `NotSignedYetError`."""
    result = open_result(caller=caller, job_id=job_id)
    with result.file:
        return archive_document(caller=caller, upload=result.file, name=result.name, password=result.password)


def find_archive(*, caller: VerifiedCaller, archive_id: uuid.UUID) -> Archive:
    """Raises `JobNotFoundError` if there is none or it is somebody else's."""
    owned = Archive.objects.filter(issuer=caller.issuer, subject=caller.subject, pk=archive_id)
    archive: Archive | None = owned.select_related("document").first()
    if archive is None:
        raise JobNotFoundError("There is no such archive.")
    return archive


def delete_archive(*, caller: VerifiedCaller, archive_id: uuid.UUID) -> None:
    """The document and its key are gone."""
    archive = find_archive(caller=caller, archive_id=archive_id)
    archive.delete()
    documents.delete_document(archive.document)


def renew_archives() -> int:
    """The regular round: renews what is due; answers how many. What fails is tried again in an hour, and says why."""
    renewed = 0
    due = Archive.objects.filter(next_renewal_at__lte=timezone.now()).order_by("next_renewal_at")
    for archive in due.select_related("document")[:_BATCH]:
        this = Archive.objects.filter(pk=archive.pk, next_renewal_at=archive.next_renewal_at)
        if not this.change(next_renewal_at=timezone.now() + _AGAIN):
            continue
        try:
            renewed += _renew(archive)
        except GatewayError as error:
            Archive.objects.filter(pk=archive.pk).change(error_code=error.code)
            log.error("archive %s, which lasts until %s, not renewed: %s", archive.pk, archive.lasts_until, error.code)
    return renewed


def _renew(archive: Archive) -> bool:
    former: StoredDocument = archive.document
    roots = [base64.b64decode(root) for root in archive.roots]
    password = documents.password_of(former)
    with documents.open_document(former) as file:
        _signatures, verified = _extend(file, roots, former.size, former.sha256, password, archive)
        stored = documents.store_document(file, password=password)
    changed: bool = Archive.objects.filter(pk=archive.pk, document=former).change(
        document=stored, renewals=archive.renewals + 1, error_code="", **_ends(verified)
    )
    documents.delete_document(former if changed else stored)
    return changed


def _extend(
    file: IO[bytes], roots: Iterable[bytes], size: int, sha256: str, password: str, owner: isolation.Owner
) -> tuple[int, VerifiedSignedDocument]:
    """The file grows by evidence and a document time-stamp, and is verified; answers with its number of signatures."""
    proofs = isolation.read_proofs(file, password=password, owner=owner)
    anchors = tuple(dict.fromkeys([*list_trust(chain=[]).timestamp_anchors, *roots]))
    trust = Trust(anchors, anchors)
    evidence = gather_evidence(leaves=proofs.leaves, known=proofs.known, anchors=anchors)
    levels.add_archive_timestamp(file, evidence=evidence, trust=trust, password=password, owner=owner)
    try:
        verified = isolation.verify_archive(file, size=size, sha256=sha256, trust=trust, password=password, owner=owner)
    except DocumentError:
        raise InvalidSignatureError from None
    return proofs.signatures, verified


def _ends(verified: VerifiedSignedDocument) -> dict[str, datetime]:
    until = datetime.fromisoformat(verified.lasts_until)
    return {
        "lasts_until": until,
        "next_renewal_at": max(until - settings.ARCHIVE_RENEWAL, timezone.now() + _SOONEST),
    }
