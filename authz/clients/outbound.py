"""Calls to addresses that a client registered: to the public Internet alone, resolved once, bounded in time and size.

An address is looked at before a packet leaves, and what was looked at is what is called: the name is not resolved
again. Redirects are answers like any other.
"""

import ipaddress
import json
import socket
import time
from collections.abc import Mapping
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


def parse_address(url: str) -> SplitResult:
    """An address that may be called, as far as its text tells; raises `OutboundError`.

    ``https`` alone, but for a host of ``CLIENT_URI_HOSTS``, which may be private and without TLS too.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise OutboundError("It is not an address.") from None
    odd = any(char.isspace() or not char.isprintable() or char == "\\" for char in url)
    if not host or odd or len(url) > _LONGEST_URL or parts.username is not None or parts.fragment:
        raise OutboundError("It is not an address that can be called.")
    if parts.scheme not in _SCHEMES or (parts.scheme == "http" and host not in settings.CLIENT_URI_HOSTS):
        raise OutboundError("It is not an https address.")
    if host not in settings.CLIENT_URI_HOSTS and (literal := _read_literal(host)) and not is_public(literal):
        raise OutboundError("It is a private address.")
    return parts


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


def post_form(url: str, form: Mapping[str, str]) -> None:
    """Returns when the other side has taken it (2xx); raises `OutboundError`."""
    status, _ = _call("POST", url, form)
    if not 200 <= status < 300:
        raise OutboundError(f"It answered {status}.")


def _call(method: str, url: str, form: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    parts = parse_address(url)
    host = str(parts.hostname)
    port = parts.port or _SCHEMES[parts.scheme]
    pinned = _resolve(host, port)
    address = f"[{pinned}]" if pinned.version == 6 else str(pinned)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    deadline = time.monotonic() + SECONDS
    with httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as client:
        request = client.build_request(
            method,
            f"{parts.scheme}://{address}:{port}{target}",
            data=form,
            headers={"Host": parts.netloc, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host},
        )
        try:
            answer = client.send(request, stream=True)
            return answer.status_code, _read(answer, deadline)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OutboundError(f"It is not reached ({type(error).__name__}).") from None


def _read(answer: httpx.Response, deadline: float) -> bytes:
    body = b""
    try:
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > LONGEST_ANSWER or time.monotonic() > deadline:
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


def _resolve(host: str, port: int) -> Address:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundError("Its name is not known.") from None
    addresses = [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    # One bad address spoils the name: who controls it would have us try until we call that one.
    allowed = host in settings.CLIENT_URI_HOSTS
    if not addresses or not all(allowed or is_public(address) for address in addresses):
        raise OutboundError("Its name leads to a private address.")
    return addresses[0]
