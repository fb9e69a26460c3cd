"""Runs `child` for one document: one process a task, with its own limits and without our environment (`nursery`)."""

import base64
import json
import logging
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import IO, Any

from gateway.errors import (
    DOCUMENT_ERRORS,
    LEVEL_ERRORS,
    TRUSTED_LIST_ERRORS,
    GatewayError,
    HostilePdfError,
    InvalidSignatureError,
    LevelError,
    StorageFullError,
    TrustedListMalformedError,
)
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
from gateway.pades.nursery import KilledError, NoChildError, nursery
from gateway.pades.values import (
    InspectedDocument,
    PreparedSignature,
    SignatureRequest,
    TrustedListContent,
    VerifiedSignedDocument,
    prepared_from_json,
    request_to_json,
    trusted_list_from_json,
)

log = logging.getLogger(__name__)

WALL_SECONDS = 10
# A document that is larger takes longer to read, whatever is in it: a second more for so many bytes.
_LARGE, _BYTES_A_SECOND = 100_000_000, 10_000_000
TRUSTED_LIST_SECONDS = 90
# So many documents are read at once by this process: each may take its limit of memory.
_places = threading.BoundedSemaphore(4)
_REFUSALS: dict[str, type[GatewayError]] = {
    **DOCUMENT_ERRORS,
    **LEVEL_ERRORS,
    **TRUSTED_LIST_ERRORS,
    **{error.code: error for error in (InvalidSignatureError, StorageFullError)},
}


def inspect_document(document: IO[bytes], *, max_pages: int, password: str = "") -> InspectedDocument:
    """The facts of a PDF that can be signed; raises a document error otherwise. ``document`` is a real file."""
    return InspectedDocument(**_call("inspect", [document], {"max_pages": max_pages, "password": password}))


def repair_document(document: IO[bytes], output: IO[bytes], *, password: str = "") -> tuple[str, ...]:
    """See `gateway.pades.repair`. Raises document errors. Both are real files."""
    return tuple(_call("repair", [document, output], {"password": password})["changes"])


def prepare_document(
    document: IO[bytes], output: IO[bytes], request: SignatureRequest, *, password: str = ""
) -> PreparedSignature:
    """Writes the prepared PDF to ``output``; raises a document error if that cannot be done. Both are real files."""
    arguments = {"request": request_to_json(request), "password": password}
    return prepared_from_json(_call("prepare", [document, output], arguments))


def add_evidence(
    document: IO[bytes], evidence: Evidence, *, timestamp: bool, password: str = ""
) -> DocumentTimestampPlace | None:
    """See `gateway.pades.evidence`; ``document`` grows in its place. Raises document errors."""
    arguments = {"evidence": evidence_to_json(evidence), "timestamp": timestamp, "password": password}
    return place_from_json(_call("add_evidence", [document], arguments))


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
) -> VerifiedSignedDocument:
    """See `gateway.pades.verify`. Raises `InvalidSignatureError`, a child of `LevelError`."""
    expected = {"field_name": field_name, "level": level, "size": size, "sha256": sha256}
    arguments = {
        "expected": {**expected, "chain": encode(tuple(chain)), "password": password},
        "anchors": encode(trust.anchors),
        "timestamp_anchors": encode(trust.timestamp_anchors),
    }
    return VerifiedSignedDocument(**_call("verify", [document], arguments))


def read_proofs(document: IO[bytes], *, password: str = "") -> Proofs:
    """See `gateway.pades.archive`. Raises document errors."""
    value = _call("read_proofs", [document], {"password": password})
    return Proofs(value["signatures"], decode(value["leaves"]), decode(value["known"]))


def verify_archive(
    document: IO[bytes], *, size: int, sha256: str, trust: Trust, password: str = ""
) -> VerifiedSignedDocument:
    """See `gateway.pades.archive`. Raises `InvalidSignatureError`, `TimestampError`."""
    arguments = {
        "size": size,
        "sha256": sha256,
        "password": password,
        "anchors": encode(trust.anchors),
        "timestamp_anchors": encode(trust.timestamp_anchors),
    }
    return VerifiedSignedDocument(**_call("verify_archive", [document], arguments))


def read_trusted_list(file: IO[bytes], *, signers: Sequence[bytes], now: datetime) -> TrustedListContent:
    """See `gateway.pades.trusted_list`. ``file`` is a real file."""
    arguments = {"signers": [base64.b64encode(item).decode() for item in signers], "now": now.isoformat()}
    try:
        return trusted_list_from_json(_call("read_trusted_list", [file], arguments, seconds=TRUSTED_LIST_SECONDS))
    except HostilePdfError:
        # Too much time or memory, as it would be for a document.
        raise TrustedListMalformedError from None


def _more_seconds(files: Sequence[IO[bytes]]) -> int:
    size = max((os.fstat(file.fileno()).st_size for file in files), default=0)
    return max(0, size - _LARGE) // _BYTES_A_SECOND


def _call(
    task: str, files: Sequence[IO[bytes]], arguments: dict[str, Any], *, seconds: int | None = None
) -> dict[str, Any]:
    for file in files:
        file.flush()
        file.seek(0)
    try:
        with _places:
            answered = nursery.run(
                task=task,
                descriptors=[file.fileno() for file in files],
                arguments=json.dumps(arguments).encode(),
                seconds=seconds or WALL_SECONDS + _more_seconds(files),
            )
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
