"""From a signature value to a document of the level asked for (EN 319 142-1, 6).

Each step may fail for want of somebody else: nothing is spent by that, and all of it may be done again.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from django.utils import timezone

from gateway.clients import sources
from gateway.errors import GatewayError, OutboundError, TimestampError
from gateway.pades import isolation
from gateway.pades.complete import complete_timestamp
from gateway.pades.levels import Evidence, Trust
from gateway.pades.timestamps import Timestamp, build_query, verify_answer
from gateway.services.evidence import gather_evidence

log = logging.getLogger(__name__)

_HASH = "sha256"


@dataclass(frozen=True)
class Signers:
    """Whose certificates have to be shown to be good: a signer's chain, and the time-stamp over the signature."""

    chain: Sequence[bytes]
    timestamp: Timestamp


def stamp_signature(*, value: bytes, trust: Trust) -> Timestamp:
    """A time-stamp over a signature value (B-T). Raises `TimestampError`."""
    return _stamp(hashlib.new(_HASH, value).digest(), trust)


def add_evidence(
    file: IO[bytes],
    *,
    level: str,
    signers: Signers,
    trust: Trust,
    password: str = "",
    owner: isolation.Owner | None = None,
) -> None:
    """B-LT and B-LTA: the file, which ``password`` opens, grows by an update with what shows that every certificate is
    good, and of B-LTA with a document time-stamp.

    Raises `RevocationDataError`, `CertificateRevokedError`, `TimestampError`.
    """
    leaves = [signers.chain[0], *signers.timestamp.certificates]
    evidence = gather_evidence(leaves=leaves, known=signers.chain, anchors=trust.timestamp_anchors)
    if level == "B-LTA":
        add_archive_timestamp(file, evidence=evidence, trust=trust, password=password, owner=owner)
    else:
        isolation.add_evidence(file, evidence, timestamp=False, password=password, owner=owner)


def add_archive_timestamp(
    file: IO[bytes],
    *,
    evidence: Evidence,
    trust: Trust,
    password: str = "",
    owner: isolation.Owner | None = None,
) -> None:
    """The file grows by an update with the evidence and a document time-stamp. Raises `TimestampError`."""
    place = isolation.add_evidence(file, evidence, timestamp=True, password=password, owner=owner)
    if place is None:
        raise GatewayError("no place for a time-stamp")
    try:
        complete_timestamp(file, place, _stamp(place.digest, trust).token)
    except TimestampError as error:
        raise error.reachable("B-LT") from None


def _stamp(digest: bytes, trust: Trust) -> Timestamp:
    query = build_query(digest=digest, hash_name=_HASH)
    try:
        answer = sources.ask_for_timestamp(query.der)
    except OutboundError as error:
        log.warning("no time-stamp: %s", error)
        failed = TimestampError()
        failed.retry_after = error.retry_after
        raise failed from None
    return verify_answer(answer, query=query, anchors=trust.timestamp_anchors, now=timezone.now())
