"""The operators' API: what its calls take (docs/operators-api.md). Nothing is ignored: an unknown member is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rssp.errors import InvalidParameterError, UnknownMemberError
from rssp.wire.members import parse_boolean, parse_string

PAGE_SIZE, MOST_ON_A_PAGE = 50, 200
LONGEST_QUERY, SHORTEST_REASON, LONGEST_REASON, LONGEST_EVIDENCE = 100, 3, 150, 2000
OBJECT_KINDS = ("pin", "totp", "ocra", "email", "passkey")
MODES = ("explicit", "implicit", "external")
ATTRIBUTES = ("given_name", "surname", "country", "identifier", "organisation")
LONGEST_NUMBER = 18  # digits, of what names a row
# A certificate with its chain, PEM, is the longest of what is sent.
LONGEST_BODY = 512 * 1024


@dataclass(frozen=True)
class NewCredential:
    """What an operator makes a credential of; ``objects`` are (name, kind, secret)."""

    mode: str
    subject: str
    common_name: str
    certificate_policy: str
    key_algorithm: str
    reason: str
    objects: tuple[tuple[str, str, str], ...]
    expression: str
    scal: str
    multisign: int | None


def refuse_others(given: Mapping[str, Any], known: set[str]) -> None:
    """Raises `UnknownMemberError`."""
    if not set(given) <= known:
        raise UnknownMemberError("an unknown member")


def parse_reason(body: dict[str, Any], *others: str) -> str:
    """Why, in the operator's own words; ``others`` are the members that may stand beside it."""
    refuse_others(body, {"reason", *others})
    reason = parse_string(body, "reason").strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise InvalidParameterError("reason")
    return reason


def parse_revocation(body: dict[str, Any], codes: list[str]) -> tuple[str, str]:
    """Reason code and words."""
    reason, code = parse_reason(body, "reason_code"), parse_string(body, "reason_code")
    if code not in codes:
        raise InvalidParameterError("reason_code")
    return code, reason


def parse_renewal(body: dict[str, Any]) -> tuple[bool, str]:
    """Whether with a new key, and why."""
    return parse_boolean(body, "new_key"), parse_reason(body, "new_key")


def parse_approval(body: dict[str, Any]) -> tuple[dict[str, str], str]:
    """The verified attributes, and the evidence for them."""
    refuse_others(body, {"evidence", "attributes"})
    attributes = body.get("attributes", {})
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise InvalidParameterError("attributes")
    refuse_others(attributes, set(ATTRIBUTES))
    evidence = parse_string(body, "evidence").strip()
    if not SHORTEST_REASON <= len(evidence) <= LONGEST_EVIDENCE:
        raise InvalidParameterError("evidence")
    return attributes, evidence


def parse_certificate(body: dict[str, Any], longest: int) -> bytes:
    """PEM, the signer's first."""
    refuse_others(body, {"certificate"})
    text = parse_string(body, "certificate")
    if len(text) > longest or not text.isascii():
        raise InvalidParameterError("certificate")
    return text.encode()


def parse_nothing(body: dict[str, Any]) -> None:
    refuse_others(body, set())


def parse_new_credential(body: dict[str, Any]) -> NewCredential:
    reason = parse_reason(
        body,
        *("mode", "subject", "common_name", "certificate_policy", "key_algorithm"),
        *("objects", "expression", "scal", "multisign"),
    )
    mode, objects, multisign = parse_string(body, "mode"), body.get("objects", []), body.get("multisign")
    if mode not in MODES:
        raise InvalidParameterError("mode")
    if not isinstance(objects, list) or (
        mode == "external" and {"objects", "expression", "scal", "multisign"} & set(body)
    ):
        raise InvalidParameterError("objects")
    if "multisign" in body and type(multisign) is not int:
        raise InvalidParameterError("multisign")
    subject, common_name = parse_string(body, "subject"), parse_string(body, "common_name")
    if len(subject) > 255:
        raise InvalidParameterError("subject")
    for name in ("expression", "scal"):
        if not isinstance(body.get(name, ""), str):
            raise InvalidParameterError(name)
    return NewCredential(
        mode=mode,
        subject=subject,
        common_name=common_name,
        certificate_policy=parse_string(body, "certificate_policy"),
        key_algorithm=parse_string(body, "key_algorithm"),
        reason=reason,
        objects=tuple(_parse_object(each) for each in objects),
        expression=body.get("expression", ""),
        scal=body.get("scal", "2"),
        multisign=multisign,
    )


def _parse_object(given: Any) -> tuple[str, str, str]:
    if not isinstance(given, dict):
        raise InvalidParameterError("objects")
    refuse_others(given, {"name", "kind", "secret"})
    kind, secret = parse_string(given, "kind"), given.get("secret", "")
    if kind not in OBJECT_KINDS or not isinstance(secret, str):
        raise InvalidParameterError("objects")
    return parse_string(given, "name"), kind, secret


# --- Questions ----------------------------------------------------------------------------------------------


def parse_query(query: Mapping[str, list[str]], known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Each parameter once, and none but ``known`` and those of paging; ``known`` says what may be in it, nothing is
    anything of at most 255 characters."""
    refuse_others(query, {*known, "limit", "cursor"})
    found = {}
    for name, values in query.items():
        if len(values) != 1 or not values[0] or len(values[0]) > 255 or "\0" in values[0]:
            raise InvalidParameterError(name)
        if known.get(name) and values[0] not in known[name]:
            raise InvalidParameterError(name)
        found[name] = values[0]
    return found


def parse_page(given: Mapping[str, str]) -> tuple[int | None, int]:
    """After which row, and how many."""
    limit = _parse_number(given["limit"]) if "limit" in given else PAGE_SIZE
    if limit is None or not 1 <= limit <= MOST_ON_A_PAGE:
        raise InvalidParameterError("limit")
    after = _parse_number(given["cursor"]) if "cursor" in given else None
    if "cursor" in given and after is None:
        raise InvalidParameterError("cursor")
    return after, limit


def parse_number(text: str) -> int:
    """Of a request; -1, which none has, for what is no number."""
    number = _parse_number(text)
    return -1 if number is None else number


def parse_moment(text: str, name: str) -> datetime:
    """RFC 3339, or a day, which means its beginning in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidParameterError(name) from None
    if moment.tzinfo is None:
        if len(text) > len("2026-01-01"):
            raise InvalidParameterError(name)
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidParameterError(name) from None


def parse_key(header: str | None) -> str | None:
    """The ``Idempotency-Key``, if there is one."""
    if header is not None and not (header.isascii() and header.isprintable() and 0 < len(header) <= 255):
        raise InvalidParameterError("Idempotency-Key")
    return header


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None
