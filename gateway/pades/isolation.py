"""Runs `child` for documents: processes with their own limits and without our environment (`nursery`).

Who says whose document it is lets a child stay that has served the same ``owner`` before
(docs/decisions/0025-children-of-one-owner.md).
"""

import base64
import json
import logging
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

from gateway.beside import beside
from gateway.errors import (
    DOCUMENT_ERRORS,
    LEVEL_ERRORS,
    TRUSTED_LIST_ERRORS,
    GatewayError,
    HostilePdfError,
    InvalidSignatureError,
    LevelError,
    PageChangedError,
    StorageFullError,
    TrustedListMalformedError,
)
from gateway.pades.conversation import LARGE_DOCUMENT_BYTES, KilledError, NoChildError, Request, largest
from gateway.pades.levels import (
    DocumentTimestampPlace,
    Evidence,
    Proofs,
    Trust,
    decode,
    encode,
    evidence_to_json,
    place_from_json,
)
from gateway.pades.nursery import nursery
from gateway.pades.values import (
    Area,
    InspectedDocument,
    ReservedPlace,
    SignatureRequest,
    TrustedListContent,
    VerifiedSignedDocument,
    areas_to_json,
    request_to_json,
    reserved_from_json,
    trusted_list_from_json,
)

log = logging.getLogger(__name__)

WALL_SECONDS = 10
# A large document takes longer to read, whatever is in it: a second more for so many bytes.
_BYTES_A_SECOND = 10_000_000
TRUSTED_LIST_SECONDS = 90
# So many documents are read at once by this process: each may take its limit of memory.
_places = threading.BoundedSemaphore(4)
# The pages of larger files are drawn by two children at once. For less it takes as long to have a second one.
_BYTES_FOR_TWO = 2_000_000
_CHILDREN_THAT_DRAW = min(2, len(os.sched_getaffinity(0)))
_REFUSALS: dict[str, type[GatewayError]] = {
    **DOCUMENT_ERRORS,
    **LEVEL_ERRORS,
    **TRUSTED_LIST_ERRORS,
    **{error.code: error for error in (InvalidSignatureError, StorageFullError)},
}


class Owner(Protocol):
    """Whose document it is: a caller, or a row of theirs."""

    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...


def inspect_document(
    document: IO[bytes], *, max_pages: int, password: str = "", owner: Owner | None = None
) -> InspectedDocument:
    """The facts of a PDF that can be signed; raises a document error otherwise. ``document`` is a real file."""
    arguments = {"max_pages": max_pages, "password": password}
    return InspectedDocument(**_call("inspect", [document], arguments, owner=owner))


def repair_document(document: IO[bytes], output: IO[bytes], *, password: str = "") -> tuple[str, ...]:
    """See `gateway.pades.repair`. Raises document errors. Both are real files."""
    return tuple(_call("repair", [document, output], {"password": password})["changes"])


def prepare_document(
    document: IO[bytes], request: SignatureRequest, *, password: str = "", owner: Owner | None = None
) -> ReservedPlace:
    """``document``, a real file, grows in its place by what prepares a signature; raises a document error if that
    cannot be done, or would change what a page shows."""
    size = largest([document.fileno()])
    arguments = {"request": request_to_json(request), "password": password}
    place = reserved_from_json(_call("prepare", [document], arguments, owner=owner))
    _compare_pages(document, size, place.areas, password, owner, pages=request.pages)
    return place


def add_evidence(
    document: IO[bytes], evidence: Evidence, *, timestamp: bool, password: str = "", owner: Owner | None = None
) -> DocumentTimestampPlace | None:
    """See `gateway.pades.evidence`; ``document`` grows in its place. Raises document errors."""
    arguments = {"evidence": evidence_to_json(evidence), "timestamp": timestamp, "password": password}
    return place_from_json(_call("add_evidence", [document], arguments, owner=owner))


def verify_document(
    document: IO[bytes],
    *,
    chain: Sequence[bytes],
    trust: Trust,
    field_name: str,
    level: str,
    size: int,
    sha256: str,
    password: str = "",
    owner: Owner | None = None,
) -> VerifiedSignedDocument:
    """See `gateway.pades.verify`. Raises `InvalidSignatureError`, also if what its level adds changes what a page
    shows; a child of `LevelError`."""
    expected = {"field_name": field_name, "level": level, "size": size, "sha256": sha256}
    arguments = {
        "expected": {**expected, "chain": encode(tuple(chain)), "password": password},
        "anchors": encode(trust.anchors),
        "timestamp_anchors": encode(trust.timestamp_anchors),
    }
    verified = VerifiedSignedDocument(**_call("verify", [document], arguments, owner=owner))
    _refuse_changed_pages(document, verified, password, owner)
    return verified


def read_proofs(document: IO[bytes], *, password: str = "", owner: Owner | None = None) -> Proofs:
    """See `gateway.pades.archive`. Raises document errors."""
    value = _call("read_proofs", [document], {"password": password}, owner=owner)
    return Proofs(value["signatures"], decode(value["leaves"]), decode(value["known"]))


def verify_archive(
    document: IO[bytes], *, size: int, sha256: str, trust: Trust, password: str = "", owner: Owner | None = None
) -> VerifiedSignedDocument:
    """See `gateway.pades.archive`. Raises `InvalidSignatureError`, also if a page changed, and `TimestampError`."""
    arguments = {
        "size": size,
        "sha256": sha256,
        "password": password,
        "anchors": encode(trust.anchors),
        "timestamp_anchors": encode(trust.timestamp_anchors),
    }
    verified = VerifiedSignedDocument(**_call("verify_archive", [document], arguments, owner=owner))
    _refuse_changed_pages(document, verified, password, owner)
    return verified


def read_trusted_list(file: IO[bytes], *, signers: Sequence[bytes], now: datetime) -> TrustedListContent:
    """See `gateway.pades.trusted_list`. ``file`` is a real file."""
    arguments = {"signers": [base64.b64encode(item).decode() for item in signers], "now": now.isoformat()}
    try:
        return trusted_list_from_json(_call("read_trusted_list", [file], arguments, seconds=TRUSTED_LIST_SECONDS))
    except HostilePdfError:
        # Too much time or memory, as it would be for a document.
        raise TrustedListMalformedError from None


def _refuse_changed_pages(
    document: IO[bytes], verified: VerifiedSignedDocument, password: str, owner: Owner | None
) -> None:
    if verified.revision_size == verified.size:
        return
    try:
        _compare_pages(document, verified.revision_size, (), password, owner)
    except PageChangedError:
        raise InvalidSignatureError from None


def _compare_pages(
    file: IO[bytes],
    original_size: int,
    areas: Sequence[Area],
    password: str,
    owner: Owner | None,
    *,
    pages: int | None = None,
) -> int:
    """See `gateway.pades.raster`. Its children can read the file and not write it; ``pages`` is how many there are, if
    that is known."""
    file.flush()
    is_shared = largest([file.fileno()]) >= _BYTES_FOR_TWO and pages != 1
    children = _CHILDREN_THAT_DRAW if is_shared else 1

    def compare(which: int) -> int:
        share = {"share": [which, children]}
        arguments = {"original_size": original_size, "areas": areas_to_json(areas), "password": password, **share}
        with Path(f"/proc/self/fd/{file.fileno()}").open("rb") as reading:
            compared: int = _call("compare_pages", [reading], arguments, owner=owner)["compared"]
        return compared

    if children == 1:
        return compare(0)
    with beside(partial(compare, 1), size=original_size) as other:
        return compare(0) + other()


def _call(
    task: str,
    files: Sequence[IO[bytes]],
    arguments: dict[str, Any],
    *,
    seconds: int | None = None,
    owner: Owner | None = None,
) -> dict[str, Any]:
    for file in files:
        file.flush()
        file.seek(0)
    descriptors = [file.fileno() for file in files]
    size = largest(descriptors)
    more_seconds = max(0, size - LARGE_DOCUMENT_BYTES) // _BYTES_A_SECOND
    request = Request(task, seconds or WALL_SECONDS + more_seconds, arguments, descriptors)
    try:
        with _places:
            answered = nursery.run(request, kept_for=_kept_for(task, owner) if size <= LARGE_DOCUMENT_BYTES else "")
    except KilledError:
        raise HostilePdfError from None
    except NoChildError:
        raise GatewayError from None
    answer = json.loads(answered)
    if because := answer.get("because"):
        log.warning("%s: %s", task, because)
    if code := answer.get("error"):
        error = _REFUSALS.get(code, GatewayError)()
        raise error.reachable(answer["below"]) if isinstance(error, LevelError) else error
    value: dict[str, Any] = answer["value"]
    return value


def _kept_for(task: str, owner: Owner | None) -> str:
    """Which children may do it: one that has drawn a document never writes one."""
    kind = "draws" if task == "compare_pages" else "writes"
    return "" if owner is None else json.dumps([kind, owner.issuer, owner.subject])
