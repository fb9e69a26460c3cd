"""From where a request came, and how it presents its token."""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from rssp.services.proofs import Call


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


def read_call(request: HttpRequest) -> Call:
    """Addressed as the world addresses this service; a certificate is the trusted proxy's word alone."""
    base, name = urlsplit(settings.CSC_BASE_URL), settings.CLIENT_CERTIFICATE_HEADER
    is_trusted = bool(name) and request.META.get("REMOTE_ADDR") in settings.TRUSTED_PROXIES
    return Call(
        authorization=request.headers.get("Authorization"),
        proof=request.headers.get("DPoP"),
        method=request.method or "",
        address=f"{base.scheme}://{base.netloc}{request.path}",
        certificate=request.headers.get(name, "") if is_trusted else "",
    )
