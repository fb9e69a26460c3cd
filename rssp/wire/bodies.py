"""The header and the body of a request, before anybody looks at its members."""

import json
import math
import re
from typing import Any

from rssp.errors import MalformedAuthorizationError, MalformedBodyError

LONGEST_BODY = 2 * 1024 * 1024
_LONGEST_TOKEN = 4096
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


def parse_bearer(authorization: str | None) -> str:
    """The token of an ``Authorization: Bearer`` header (RFC 6750, 2.1); raises `MalformedAuthorizationError`."""
    match = _BEARER.fullmatch(authorization or "")
    if match is None or len(match[1]) > _LONGEST_TOKEN:
        raise MalformedAuthorizationError("no bearer token")
    return match[1]


def parse_object(raw: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, with no member twice and only numbers and strings that can be kept (RFC 7493)."""
    try:
        body = json.loads(
            raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_number, parse_float=_finite_float
        )
    except (ValueError, RecursionError):
        raise MalformedBodyError("the body is not well-formed JSON") from None
    if not isinstance(body, dict):
        raise MalformedBodyError("the body is not a JSON object")
    _refuse_odd_strings(body)
    return body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def _refuse_number(name: str) -> Any:
    raise ValueError(name)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_ODD = re.compile("[\0\ud800-\udfff]")


def _refuse_odd_strings(body: Any) -> None:
    """NUL, which not every database keeps, and halves of surrogate pairs, which have no UTF-8."""
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and _ODD.search(value):
            raise MalformedBodyError("a string holds a character that cannot be kept")
