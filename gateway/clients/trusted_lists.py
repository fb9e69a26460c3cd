"""Fetching a trusted list from an address that an operator gave: https alone, of a public host, within bounds."""

import ssl

from gateway.clients.outbound import Allowed, Bounds, call
from gateway.errors import OutboundError, TrustedListNotFetchedError

LONGEST_LIST = 32 * 1024 * 1024
_SECONDS = 60.0


def fetch_trusted_list(*, url: str, verify: ssl.SSLContext | None = None) -> bytes:
    """The list's bytes, not yet believed. ``verify`` stands in for the system's TLS authorities.

    Raises `TrustedListNotFetchedError`.
    """
    try:
        return call("GET", url, bounds=Bounds(_SECONDS, LONGEST_LIST), allowed=Allowed(), verify=verify)
    except OutboundError as error:
        raise TrustedListNotFetchedError(str(error)) from error
