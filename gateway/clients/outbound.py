"""Calls to addresses that a setting, a certificate or a caller named: of public hosts alone, resolved once, bounded in
time and size, and never redirected.

An address is looked at before a packet leaves, and what was looked at is what is connected to, whatever the name
resolves to a moment later.
"""

import logging
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult

import httpx

from gateway.clients import pinning
from gateway.errors import OutboundError, OutboundRefusedError, OutboundStatusError

log = logging.getLogger(__name__)

_TOO_LONG = "took too long"
_BUSY, _LONGEST_RETRY_AFTER = (429, 503), 300


@dataclass(frozen=True)
class Bounds:
    """How long a call may take from its first packet to its last, and how long an answer may be."""

    seconds: float
    size: int


@dataclass(frozen=True)
class Allowed:
    """Which addresses may be called. ``private_origins`` are ``scheme://host:port`` that an operator vouches for: they
    alone may be private."""

    schemes: Collection[str] = ("https",)
    private_origins: Collection[str] = field(default_factory=frozenset)


def origin_of(url: str) -> str:
    """``scheme://host:port`` of an address, the port always said; raises `OutboundRefusedError`."""
    parts = _split(url)
    return f"{parts.scheme}://{parts.hostname}:{pinning.port_of(parts)}"


def call(
    method: str,
    url: str,
    *,
    bounds: Bounds,
    allowed: Allowed,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    verify: ssl.SSLContext | None = None,
) -> bytes:
    """The body of an answer 2xx. ``verify`` stands in for the system's TLS authorities.

    Raises `OutboundRefusedError` if the address may not be called, so nothing was sent; `OutboundError` if it was, and
    did not answer as it should.
    """
    parts = _split(url)
    if parts.scheme not in allowed.schemes:
        raise OutboundRefusedError(f"The address is not {' or '.join(allowed.schemes)}.")
    found = pinning.look_up(parts)
    if not found:
        raise OutboundError("The address's host is unknown.")
    address = pinning.choose(found, private=origin_of(url) in allowed.private_origins)
    if address is None:
        raise OutboundRefusedError("The address leads to a host that is not public.")
    target, pinned_headers, extensions = pinning.pin(parts, address)
    deadline = pinning.Deadline(bounds.seconds)
    options: dict[str, Any] = {
        "content": content,
        "headers": {**(headers or {}), **pinned_headers},
        "extensions": {**extensions, "trace": deadline.trace},
    }
    client = httpx.Client(
        verify=verify or ssl.create_default_context(), timeout=bounds.seconds, trust_env=False, follow_redirects=False
    )
    try:
        with client, deadline, client.stream(method, target, **options) as response:
            raise_for_status(response)
            body = _read(response.iter_raw(), bounds)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = _TOO_LONG if deadline.passed else type(error).__name__
        raise OutboundError(f"The server could not be asked ({why}).") from error
    if deadline.passed:
        # A body without an announced length ends where the connection does, and it was us who ended that.
        raise OutboundError(f"The server could not be asked ({_TOO_LONG}).")
    return body


def raise_for_status(response: httpx.Response) -> None:
    """`OutboundError` unless the answer is 2xx, with the seconds that a busy server names (RFC 9110, 10.2.3)."""
    if response.is_success:
        return
    error = OutboundStatusError(response.status_code)
    told = response.headers.get("Retry-After", "")
    if response.status_code in _BUSY and told.isascii() and told.isdigit():
        error.retry_after = min(int(told[:6]), _LONGEST_RETRY_AFTER)
    raise error


def _read(chunks: Iterable[bytes], bounds: Bounds) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > bounds.size:
            raise OutboundError("The answer is longer than any real one.")
    return bytes(content)


def _split(url: str) -> SplitResult:
    parts = pinning.split_address(url)
    if parts is None:
        raise OutboundRefusedError("The address is none that can be called.")
    return parts
