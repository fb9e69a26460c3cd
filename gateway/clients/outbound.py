"""Calls to addresses that a setting, a certificate or a caller named: of public hosts alone, resolved once, bounded in
time and size, and never redirected.

An address is looked at before a packet leaves, and what was looked at is what is connected to, whatever the name
resolves to a moment later.
"""

import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from gateway.errors import OutboundError, OutboundRefusedError, OutboundStatusError

log = logging.getLogger(__name__)

_PORTS = {"https": 443, "http": 80}
_LONGEST_URL = 2000
_TOO_LONG = "took too long"
_BUSY, _LONGEST_RETRY_AFTER = (429, 503), 300
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


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
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


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
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    address = _resolve(host, port, private=origin_of(url) in allowed.private_origins)
    literal = f"[{address}]" if ":" in address else address
    target = parts._replace(netloc=f"{literal}:{port}", fragment="").geturl()
    deadline = _Deadline(bounds.seconds)
    options: dict[str, Any] = {
        "content": content,
        "headers": {**(headers or {}), "Host": parts.netloc, "Accept-Encoding": "identity"},
        "extensions": {"sni_hostname": host, "trace": deadline.trace},
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


def is_public(address: str) -> bool:
    """Whether the address is one of the public Internet; those that carry an IPv4 one are judged by that."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return parsed.is_global and not parsed.is_multicast


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise OutboundRefusedError("The address is malformed.") from None
    odd = any(char.isspace() or not char.isprintable() or char == "\\" for char in url)
    if not host or odd or len(url) > _LONGEST_URL or parts.username is not None or parts.scheme not in _PORTS:
        raise OutboundRefusedError("The address is none that can be called.")
    return parts


def _resolve(host: str, port: int, *, private: bool) -> str:
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise OutboundError("The address's host is unknown.") from None
    # One bad address spoils the name: who controls it would have us try until we call that one.
    if not found or not (private or all(is_public(address.partition("%")[0]) for address in found)):
        raise OutboundRefusedError("The address leads to a host that is not public.")
    # Of this machine's own, servers mostly listen on the older one.
    return min(found, key=lambda address: ":" in address) if private else found[0]


class _Deadline:
    """Ends the connection when the time is up, however slowly the other side drips: HTTP's own time-outs begin anew
    with every byte."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._streams: list[Any] = []

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._until

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_exception: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx tells what it does; the streams are what it connected."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._streams.append(info["return_value"])

    def _end(self) -> None:
        for stream in self._streams:
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
