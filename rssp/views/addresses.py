"""From where a request came."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The IP address that the connection came from, empty where it has none. What a header claims counts only from a
    trusted proxy, and of that only the entry that the proxy wrote itself."""
    peer = str(request.META.get("REMOTE_ADDR") or "")
    if peer in settings.TRUSTED_PROXIES:
        peer = request.headers.get("X-Forwarded-For", peer).rpartition(",")[2].strip() or peer
    try:
        return str(ipaddress.ip_address(peer))
    except ValueError:
        return ""
