"""What a caller may ask of a signature beside its level (docs/protocols.md, section 6): from JSON to values."""

import base64
import binascii
import math
import re
from typing import Any

from gateway.errors import InvalidRequestError
from gateway.pades.algorithms import HASHES
from gateway.pades.attributes import COMMITMENTS
from gateway.pades.options import Appearance, FieldLock, FieldValue, NewField, Place, SignatureOptions, SignaturePolicy
from gateway.wire import parse_choice, parse_flag, parse_text

# A few images in base64, and the rest.
LONGEST_OPTIONS = 2048 * 1024
_LONGEST_IMAGE = 512 * 1024
_LONGEST_TEXT = 500
_MOST_FIELDS = 300
_MOST_ROLES = 10
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*)){1,30}")
_KINDS = ("signature", "text", "checkbox")
_LOCKS = {"all": "All", "include": "Include", "exclude": "Exclude"}


def parse_options(body: dict[str, Any]) -> SignatureOptions:
    """Raises `InvalidRequestError`."""
    commitment = parse_choice(body, "commitment", COMMITMENTS) or ""
    reason = parse_text(body, "reason", limit=200, required=False)
    if commitment and reason:
        # EN 319 142-1, 6.3: the one is not used where the other is.
        raise InvalidRequestError("A signature has a reason or a commitment, not both.")
    visible = _object(body, "appearance")
    return SignatureOptions(
        field_name=_field_name(body, "field"),
        place=_place(visible) if visible is not None and "box" in visible else None,
        appearance=_appearance(visible) if visible is not None else None,
        certify=_certify(body),
        lock=_lock(_object(body, "lock")),
        new_fields=tuple(_new_field(each) for each in _list(body, "new_fields", _MOST_FIELDS)),
        values=tuple(_value(each) for each in _list(body, "values", _MOST_FIELDS)),
        reason=reason,
        location=parse_text(body, "location", limit=200, required=False),
        contact=parse_text(body, "contact", limit=200, required=False),
        policy=_policy(_object(body, "policy")),
        commitment=commitment,
        roles=tuple(parse_text({"roles": each}, "roles", limit=200) for each in _list(body, "roles", _MOST_ROLES)),
    )


def _object(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidRequestError(f"The member {name} must be an object.")
    return value


def _list(body: dict[str, Any], name: str, limit: int) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > limit:
        raise InvalidRequestError(f"The member {name} must be a list of at most {limit}.")
    return value


def _field_name(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = parse_text(body, name, limit=64, required=required)
    if value and (not all(value.split(".")) or value != value.strip()):
        raise InvalidRequestError(f"The member {name} is not a field's name.")
    return value


def _place(value: dict[str, Any]) -> Place:
    page, box = value.get("page", 1), value.get("box")
    if not isinstance(page, int) or isinstance(page, bool):
        raise InvalidRequestError("The member page must be a number, from 1.")
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(each) for each in box):
        raise InvalidRequestError("The member box must be four numbers: left, bottom, right, top.")
    left, bottom, right, top = (float(each) for each in box)
    return Place(page, (left, bottom, right, top))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _appearance(value: dict[str, Any]) -> Appearance:
    text = value.get("text", "")
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise InvalidRequestError(f"The member text must be a string of at most {_LONGEST_TEXT} characters.")
    lines = [parse_text({"text": line}, "text", limit=_LONGEST_TEXT, required=False) for line in text.split("\n")]
    shows = Appearance(
        text="\n".join(lines),
        image=_base64(value, "image", _LONGEST_IMAGE) if "image" in value else b"",
        qr=parse_text(value, "qr", limit=300, required=False),
    )
    if not (shows.text.strip() or shows.image or shows.qr):
        raise InvalidRequestError("A visible signature shows text, image or qr.")
    return shows


def _base64(body: dict[str, Any], name: str, limit: int) -> bytes:
    value = body.get(name)
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not 0 < len(data) <= limit:
        raise InvalidRequestError(f"The member {name} must be base64 of at most {limit} bytes.")
    return data


def _certify(body: dict[str, Any]) -> int | None:
    value = body.get("certify")
    if value is not None and (isinstance(value, bool) or value not in {1, 2, 3}):
        raise InvalidRequestError("The member certify must be 1, 2 or 3.")
    return None if value is None else int(value)


def _lock(value: dict[str, Any] | None) -> FieldLock | None:
    if value is None:
        return None
    action = parse_choice(value, "action", tuple(_LOCKS))
    if action is None:
        raise InvalidRequestError("The member action is missing.")
    listed = _list(value, "fields", _MOST_FIELDS)
    names = tuple(_field_name({"fields": each}, "fields", required=True) for each in listed)
    if bool(names) == (action == "all"):
        raise InvalidRequestError("The member fields belongs to include and exclude.")
    return FieldLock(_LOCKS[action], names)


def _new_field(value: Any) -> NewField:
    if not isinstance(value, dict):
        raise InvalidRequestError("The member new_fields must be a list of objects.")
    name = _field_name(value, "name", required=True)
    kind = parse_choice(value, "kind", _KINDS) or "signature"
    if kind != "signature":
        if "." in name or "lock" in value:
            raise InvalidRequestError("A field that is filled has a name of one part, and locks nothing.")
        return NewField(name, _place(value), kind, parse_text(value, "label", limit=200, required=False))
    lock = tuple(_field_name({"lock": each}, "lock", required=True) for each in _list(value, "lock", _MOST_FIELDS))
    place = _place(value) if "box" in value or "page" in value else None
    return NewField(name, place, lock=lock)


def _value(value: Any) -> FieldValue:
    """Text, a picture (with text, for who cannot see it), or a tick."""
    if not isinstance(value, dict):
        raise InvalidRequestError("The member values must be a list of objects.")
    text = value.get("text", "")
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise InvalidRequestError(f"The member text must be a string of at most {_LONGEST_TEXT} characters.")
    lines = [parse_text({"text": line}, "text", limit=_LONGEST_TEXT, required=False) for line in text.split("\n")]
    image = _base64(value, "image", _LONGEST_IMAGE) if "image" in value else b""
    if ("text" in value or "image" in value) == ("checked" in value):
        raise InvalidRequestError("A field is filled with text, with an image, or is checked or not.")
    return FieldValue(_field_name(value, "field", required=True), "\n".join(lines), image, parse_flag(value, "checked"))


def _policy(value: dict[str, Any] | None) -> SignaturePolicy | None:
    if value is None:
        return None
    oid = parse_text(value, "oid", limit=128)
    if not _OID.fullmatch(oid):
        raise InvalidRequestError("The member oid must be an object identifier.")
    hash_name = parse_choice(value, "hash", tuple(HASHES)) or "sha256"
    digest = _base64(value, "digest", 64)
    if len(digest) != HASHES[hash_name][1].digest_size:
        raise InvalidRequestError("The member digest is not as long as its hash makes it.")
    uri = parse_text(value, "uri", limit=500, required=False)
    if uri and not uri.isascii():
        raise InvalidRequestError("The member uri must be ASCII.")
    return SignaturePolicy(oid, hash_name, digest, uri)
