"""Calls to addresses that a client registered: to the public Internet alone, resolved once, bounded in time and size.

An address is looked at before a packet leaves, and what was looked at is what is called: the name is not resolved
again. Redirects are answers like any other.
"""

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
from django.conf import settings

from authz.errors import OutboundError

SECONDS = 5.0
LONGEST_ANSWER = 64 * 1024
_LONGEST_URL = 2000
_SCHEMES = {"https": 443, "http": 80}
# Translates to IPv4 addresses that nobody has looked at (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(url: str, *, hosts: Collection[str] = ()) -> SplitResult:
    """An address that may be called, as far as its text tells; raises `OutboundError`.

    ``https`` alone, but for a host of ``CLIENT_URI_HOSTS`` or ``hosts``, which may be private and without TLS too.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise OutboundError("It is not an address.") from None
    odd = any(char.isspace() or not char.isprintable() or char == "\\" for char in url)
    if not host or odd or len(url) > _LONGEST_URL or parts.username is not None or parts.fragment:
        raise OutboundError("It is not an address that can be called.")
    if parts.scheme not in _SCHEMES or (parts.scheme == "http" and not _is_allowed(host, hosts)):
        raise OutboundError("It is not an https address.")
    if not _is_allowed(host, hosts) and (literal := _read_literal(host)) and not is_public(literal):
        raise OutboundError("It is a private address.")
    return parts


def _is_allowed(host: str, hosts: Collection[str]) -> bool:
    """Whether an operator vouches for this host, by name."""
    return host in settings.CLIENT_URI_HOSTS or host in hosts


def get_object(url: str) -> dict[str, Any]:
    """The JSON object at this address; raises `OutboundError`."""
    status, body = _call("GET", url)
    if status != httpx.codes.OK:
        raise OutboundError(f"It answered {status}.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OutboundError("It answered no JSON object.")
    return found


def post_form(url: str, form: Mapping[str, str], *, hosts: Collection[str] = ()) -> None:
    """Returns when the other side has taken it (2xx); ``hosts`` as for `parse_address`. Raises `OutboundError`."""
    status, _ = _call("POST", url, form, hosts)
    if not 200 <= status < 300:
        raise OutboundError(f"It answered {status}.")


def _call(
    method: str, url: str, form: Mapping[str, str] | None = None, hosts: Collection[str] = ()
) -> tuple[int, bytes]:
    parts = parse_address(url, hosts=hosts)
    host = str(parts.hostname)
    port = parts.port or _SCHEMES[parts.scheme]
    pinned = _resolve(host, port, is_allowed=_is_allowed(host, hosts))
    address = f"[{pinned}]" if pinned.version == 6 else str(pinned)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    deadline = _Deadline(SECONDS)
    client = httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False)
    with client, deadline:
        request = client.build_request(
            method,
            f"{parts.scheme}://{address}:{port}{target}",
            data=form,
            headers={"Host": parts.netloc, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host, "trace": deadline.trace},
        )
        try:
            answer = client.send(request, stream=True)
            return answer.status_code, _read(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = "it took too long" if deadline.passed else type(error).__name__
            raise OutboundError(f"It is not reached ({why}).") from None


def _read(answer: httpx.Response) -> bytes:
    body = b""
    try:
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > LONGEST_ANSWER:
                raise OutboundError("Its answer is too long.")
    finally:
        answer.close()
    return body


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


def _resolve(host: str, port: int, *, is_allowed: bool) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundError("Its name is not known.") from None
    addresses = [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    # One bad address spoils the name: who controls it would have us try until we call that one.
    if not addresses or not all(is_allowed or is_public(address) for address in addresses):
        raise OutboundError("Its name leads to a private address.")
    return addresses[0]


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
