"""The header and the body of a request, before anybody looks at its members."""

import json
import math
import re
from typing import Any

from rssp.errors import MalformedAuthorizationError, MalformedBodyError

# Of DPoP proofs (RFC 9449, 7.1).
PROOF_ALGORITHMS = ("ES256", "ES384", "PS256", "PS384", "EdDSA", "Ed25519")
LONGEST_BODY = 2 * 1024 * 1024
_LONGEST_TOKEN = 4096
_AUTHORIZATION = re.compile(r"(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


def parse_authorization(authorization: str | None) -> tuple[str, str]:
    """The scheme, ``bearer`` or ``dpop``, and the token of an ``Authorization`` header (RFC 6750, 2.1; RFC 9449, 7.1);
    raises `MalformedAuthorizationError`."""
    match = _AUTHORIZATION.fullmatch(authorization or "")
    if match is None or len(match[2]) > _LONGEST_TOKEN:
        raise MalformedAuthorizationError("no access token")
    return match[1].lower(), match[2]


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
