"""Where an address leads, found out once before a packet leaves, and an end to a call when its time is up.

Whoever names an address to a service may name one inside its network; whoever owns a name may have it lead there a
moment after it was looked at. So what was looked at is what is connected to.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

PORTS = {"https": 443, "http": 80}
_LONGEST_URL = 2000
# Translates to the IPv4 address in its last 32 bits (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def split_address(url: str) -> SplitResult | None:
    """The parts of an address that can be called; nothing, if it is none."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return None
    odd = any(char.isspace() or not char.isprintable() or char == "\\" for char in url)
    if not host or odd or len(url) > _LONGEST_URL or parts.username is not None or parts.scheme not in PORTS:
        return None
    return parts


def port_of(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


def is_public(address: Address) -> bool:
    """Whether it is one of the open Internet's: not ours, not a neighbour's, not a cloud's own. One that carries an
    IPv4 address is judged by that; tunnels (6to4, Teredo) lead where nobody has looked."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def names_private(parts: SplitResult) -> bool:
    """Whether the address says by itself, without a name, that it is not public."""
    try:
        return not is_public(ipaddress.ip_address(str(parts.hostname)))
    except ValueError:
        return False


def look_up(parts: SplitResult) -> list[Address]:
    """All that the address's name leads to; nothing, if it is not known."""
    try:
        found = socket.getaddrinfo(str(parts.hostname), port_of(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]


def choose(found: list[Address], *, private: bool) -> Address | None:
    """The one to connect to; with ``private`` it need not be public. One bad address spoils the name: who controls it
    would have us try until we call that one."""
    if not private and not all(is_public(address) for address in found):
        return None
    # Of this machine's own, servers mostly listen on the older one.
    return min(found, key=lambda address: address.version) if private else found[0]


def pin(parts: SplitResult, address: Address) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The address to call in the name's place, with the header and httpx's extension that still say the name."""
    literal = f"[{address}]" if address.version == 6 else str(address)
    url = parts._replace(netloc=f"{literal}:{port_of(parts)}", fragment="").geturl()
    headers = {"Host": parts.netloc, "Accept-Encoding": "identity"}
    return url, headers, {"sni_hostname": str(parts.hostname)}


class Deadline:
    """Ends the connection when the time is up, however slowly the other side drips: HTTP's own time-outs begin anew
    with every byte. Its ``trace`` is httpx's extension of that name."""

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
        """The streams are what it tells of having connected."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._streams.append(info["return_value"])

    def _end(self) -> None:
        for stream in self._streams:
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
