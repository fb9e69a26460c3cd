"""What travels between the process that parses a PDF and the one that asked: small, frozen, JSON-shaped."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.pades.options import SignatureOptions


@dataclass(frozen=True)
class InspectedDocument:
    """A PDF that can be signed as it is. ``signatures`` counts those already there; ``encryption`` is a cipher as in
    ``AES-256``, empty if there is none; ``page_sizes`` is what `pages.measure_pages` says."""

    pages: int
    size: int
    signatures: int
    encryption: str = ""
    password_required: bool = False
    page_sizes: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class SignatureRequest:
    """What the signature dictionary and the signed attributes will say.

    ``chain`` is DER, the signer's certificate first; ``pages`` is the document's number of them; fonts of a visible
    signature's text lie in ``font_folders``.
    """

    chain: tuple[bytes, ...]
    sign_algo: str
    field_name: str
    pages: int
    level: str = "B-B"
    options: SignatureOptions = field(default_factory=SignatureOptions)
    font_folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Area:
    """A place that may look different after signing: page from 1, box as it is shown, in the page's own unit: who draws
    takes no notice of UserUnit."""

    page: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class ReservedPlace:
    """Where in a prepared file the CMS will stand (offsets); the pages look as before but for ``areas``."""

    start: int
    end: int
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True)
class PreparedSignature:
    """A prepared file's other half: ``signed_attributes`` is the DER that will be signed and embedded byte for byte;
    the reserved region (offsets in the prepared file) is where the CMS will stand."""

    signed_attributes: bytes
    reserved_start: int
    reserved_end: int


@dataclass(frozen=True)
class VerifiedSignedDocument:
    """A signed PDF that was verified whole. ``sha256`` is lower-case hexadecimal; ``lasts_until`` is when the last of
    its proofs ends, ISO 8601. What its level adds stands behind the first ``revision_size`` bytes."""

    size: int
    sha256: str
    level: str
    lasts_until: str
    revision_size: int


def request_to_json(request: SignatureRequest) -> dict[str, Any]:
    chain = [base64.b64encode(certificate).decode() for certificate in request.chain]
    return {**vars(request), "chain": chain, "options": request.options.to_json()}


def request_from_json(value: dict[str, Any]) -> SignatureRequest:
    chain = tuple(base64.b64decode(certificate) for certificate in value["chain"])
    options = SignatureOptions.from_json(value["options"])
    return SignatureRequest(**{**value, "chain": chain, "options": options})


def reserved_to_json(place: ReservedPlace) -> dict[str, Any]:
    return {"start": place.start, "end": place.end, "areas": areas_to_json(place.areas)}


def reserved_from_json(value: dict[str, Any]) -> ReservedPlace:
    return ReservedPlace(int(value["start"]), int(value["end"]), areas_from_json(value["areas"]))


def areas_to_json(areas: Sequence[Area]) -> list[Any]:
    return [[area.page, *area.box] for area in areas]


def areas_from_json(value: list[Any]) -> tuple[Area, ...]:
    return tuple(Area(page, (left, bottom, right, top)) for page, left, bottom, right, top in value)


@dataclass(frozen=True)
class ListedService:
    """A service of a trusted list that is granted now; ``kind`` is ``ca`` or ``tsa``, ``certificate`` DER."""

    kind: str
    name: str
    certificate: bytes


@dataclass(frozen=True)
class TrustedListContent:
    """A trusted list whose signature verified. Times are ISO 8601; ``signer_sha256`` names the certificate."""

    territory: str
    operator: str
    sequence_number: int
    issued: str
    next_update: str
    signer_sha256: str
    services: tuple[ListedService, ...]


def trusted_list_to_json(content: TrustedListContent) -> dict[str, Any]:
    services = [
        {"kind": each.kind, "name": each.name, "certificate": base64.b64encode(each.certificate).decode()}
        for each in content.services
    ]
    return {**vars(content), "services": services}


def trusted_list_from_json(value: dict[str, Any]) -> TrustedListContent:
    services = tuple(
        ListedService(each["kind"], each["name"], base64.b64decode(each["certificate"])) for each in value["services"]
    )
    return TrustedListContent(**{**value, "services": services})
