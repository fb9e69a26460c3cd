"""Calls to addresses that a client named: to the public Internet alone, resolved once, bounded in time and size.

An address is looked at before a packet leaves, and what was looked at is what is called: the name is not resolved
again. Redirects are answers like any other.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from rssp.errors import OutboundRefusedError, OutboundUnreachableError

SECONDS = 5.0
LONGEST_ANSWER = 64 * 1024
_LONGEST_URL = 2000
_SCHEMES = {"https": 443, "http": 80}
# Translates to IPv4 addresses that nobody has looked at (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(url: str, *, allowed_hosts: tuple[str, ...]) -> SplitResult:
    """An address that may be called, as far as its text tells; raises `OutboundRefusedError`.

    ``https`` alone, but for a host that an operator allowed by name, which may be private and without TLS too.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise OutboundRefusedError("not an address") from None
    odd = any(char.isspace() or not char.isprintable() or char == "\\" for char in url)
    if not host or odd or len(url) > _LONGEST_URL or parts.username is not None or parts.fragment:
        raise OutboundRefusedError("not an address that can be called")
    if parts.scheme not in _SCHEMES or (parts.scheme == "http" and host not in allowed_hosts):
        raise OutboundRefusedError("not https")
    if host not in allowed_hosts and (literal := _read_literal(host)) and not is_public(literal):
        raise OutboundRefusedError("a private address")
    return parts


def post_json(url: str, body: dict[str, object], *, allowed_hosts: tuple[str, ...]) -> None:
    """Returns when the other side has taken it (2xx).

    Raises `OutboundRefusedError` (never again) or `OutboundUnreachableError` (perhaps later).
    """
    parts = parse_address(url, allowed_hosts=allowed_hosts)
    host = str(parts.hostname)
    port = parts.port or _SCHEMES[parts.scheme]
    pinned = _resolve(host, port, is_allowed=lambda found: host in allowed_hosts or is_public(found))
    address = f"[{pinned}]" if pinned.version == 6 else str(pinned)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    deadline = _Deadline(SECONDS)
    client = httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False)
    with client, deadline:
        request = client.build_request(
            "POST",
            f"{parts.scheme}://{address}:{port}{target}",
            json=body,
            headers={"Host": parts.netloc},
            extensions={"sni_hostname": host, "trace": deadline.trace},
        )
        try:
            answer = client.send(request, stream=True)
            _discard(answer)
        except httpx.HTTPError as error:
            why = "it took too long" if deadline.passed else type(error).__name__
            raise OutboundUnreachableError(why) from None
    if not answer.is_success:
        raise OutboundUnreachableError(f"answered {answer.status_code}")


def is_public(address: Address) -> bool:
    """Whether it is one of the open Internet's: not ours, not a neighbour's, not a cloud's own."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64 or address.sixtofour is not None or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _read_literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _resolve(host: str, port: int, *, is_allowed: Callable[[Address], bool]) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundUnreachableError("the name is not known") from None
    addresses = [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    # One bad address spoils the name: who controls it would have us try until we call that one.
    if not addresses or not all(is_allowed(address) for address in addresses):
        raise OutboundRefusedError("the name leads to a private address")
    return addresses[0]


def _discard(answer: httpx.Response) -> None:
    size = 0
    for chunk in answer.iter_raw():
        size += len(chunk)
        if size > LONGEST_ANSWER:
            break
    answer.close()


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
