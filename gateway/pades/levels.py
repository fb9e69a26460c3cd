"""The levels of a PAdES baseline signature (EN 319 142-1, 6), what each is made of, and what proves it later."""

import base64
from dataclasses import dataclass, field
from typing import Any

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")


def reaches(level: str, wanted: str) -> bool:
    """Whether ``level`` holds everything that ``wanted`` asks for."""
    return LEVELS.index(level) >= LEVELS.index(wanted)


@dataclass(frozen=True)
class Evidence:
    """What shows that certificates were good (DER each): certificates of the chains, OCSP responses, revocation
    lists."""

    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class DocumentTimestampPlace:
    """An empty place for a document time-stamp: offsets in the file, and what is to be stamped (SHA-256)."""

    reserved_start: int
    reserved_end: int
    digest: bytes


@dataclass(frozen=True)
class Proofs:
    """``leaves`` are the certificates that have to be shown to be good before the next time-stamp: the last document
    time-stamp's, or, where there is none yet, those of all signatures and their time-stamps. ``known`` are others."""

    signatures: int
    leaves: tuple[bytes, ...]
    known: tuple[bytes, ...]


@dataclass(frozen=True)
class Trust:
    """DER certificates that chains may end in: signers', and time-stamping units'."""

    anchors: tuple[bytes, ...] = field(repr=False)
    timestamp_anchors: tuple[bytes, ...] = field(repr=False)


def encode(items: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(item).decode() for item in items]


def decode(items: list[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(item) for item in items)


def evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    return {name: encode(getattr(evidence, name)) for name in ("certificates", "ocsps", "crls")}


def evidence_from_json(value: dict[str, Any]) -> Evidence:
    return Evidence(*(decode(value[name]) for name in ("certificates", "ocsps", "crls")))


def place_to_json(place: DocumentTimestampPlace | None) -> dict[str, Any]:
    if place is None:
        return {}
    return {**vars(place), "digest": base64.b64encode(place.digest).decode()}


def place_from_json(value: dict[str, Any]) -> DocumentTimestampPlace | None:
    if not value:
        return None
    return DocumentTimestampPlace(
        int(value["reserved_start"]), int(value["reserved_end"]), base64.b64decode(value["digest"])
    )
