"""``credentials/identify`` and ``credentials/identified``, our own (docs/protocols.md, section 7)."""

from dataclasses import dataclass
from typing import Any

from rssp.errors import InvalidParameterError
from rssp.wire.members import parse_string, refuse_odd_client_data

# Nobody can guess a state of 22 characters.
_SHORTEST_STATE, _LONGEST_STATE, _LONGEST_CODE = 22, 255, 2048


@dataclass(frozen=True)
class IdentifyRequest:
    """``state`` comes back from the provider with the browser."""

    credential_id: str
    state: str


@dataclass(frozen=True)
class IdentifiedRequest:
    """What the browser brought back (RFC 6749, 4.1.2; ``iss``: RFC 9207)."""

    credential_id: str
    code: str
    state: str
    iss: str


def parse_identify_request(body: dict[str, Any]) -> IdentifyRequest:
    refuse_odd_client_data(body)
    return IdentifyRequest(parse_string(body, "credentialID"), _parse_state(body))


def parse_identified_request(body: dict[str, Any]) -> IdentifiedRequest:
    code, iss = parse_string(body, "code"), body.get("iss", "")
    if len(code) > _LONGEST_CODE:
        raise InvalidParameterError("code")
    if not isinstance(iss, str):
        raise InvalidParameterError("iss")
    refuse_odd_client_data(body)
    return IdentifiedRequest(parse_string(body, "credentialID"), code, _parse_state(body), iss)


def _parse_state(body: dict[str, Any]) -> str:
    state = parse_string(body, "state")
    if not (_SHORTEST_STATE <= len(state) <= _LONGEST_STATE and state.isascii() and state.isprintable()):
        raise InvalidParameterError("state")
    return state
