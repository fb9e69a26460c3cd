"""Fetching a trusted list from an address that an operator gave: https alone, of a public host, within bounds."""

import ipaddress
import socket
import ssl
import time
from urllib.parse import urlsplit

import httpx

from gateway.errors import TrustedListNotFetchedError

LONGEST_LIST = 32 * 1024 * 1024
_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def fetch_trusted_list(*, url: str, verify: ssl.SSLContext | None = None) -> bytes:
    """The list's bytes, not yet believed. ``verify`` stands in for the system's TLS authorities.

    Raises `TrustedListNotFetchedError`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        raise TrustedListNotFetchedError("The address is malformed.") from None
    if parts.scheme != "https" or not host or parts.username or parts.password:
        raise TrustedListNotFetchedError("A trusted list is fetched from an https:// address.")
    # Connected to is the very address that was looked at, whatever the name resolves to a moment later.
    address = _resolve(host, port)
    literal = f"[{address}]" if ":" in address else address
    target = parts._replace(netloc=f"{literal}:{port}", fragment="").geturl()
    try:
        return _read(target, host, parts.netloc, verify)
    except httpx.HTTPError as error:
        raise TrustedListNotFetchedError(f"The list could not be fetched ({type(error).__name__}).") from error


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


def _resolve(host: str, port: int) -> str:
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise TrustedListNotFetchedError("The address's host is unknown.") from None
    if not found or not all(is_public(address) for address in found):
        raise TrustedListNotFetchedError("The address leads to a host that is not public.")
    return found[0]


def _read(target: str, host: str, authority: str, verify: ssl.SSLContext | None) -> bytes:
    deadline = time.monotonic() + _SECONDS
    timeout = httpx.Timeout(_CONNECT_SECONDS)
    context = verify or ssl.create_default_context()
    with (
        httpx.Client(verify=context, timeout=timeout, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", target, headers={"Host": authority}, extensions={"sni_hostname": host}) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise TrustedListNotFetchedError(f"The server answered {response.status_code}.")
        content = bytearray()
        for chunk in response.iter_bytes(64 * 1024):
            content += chunk
            if len(content) > LONGEST_LIST:
                raise TrustedListNotFetchedError("The list is longer than any real one.")
            if time.monotonic() > deadline:
                raise TrustedListNotFetchedError("The list takes too long to arrive.")
    return bytes(content)
