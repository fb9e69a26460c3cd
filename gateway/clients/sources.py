"""Time-stamps and revocation data from where settings and certificates say: RFC 3161 and OCSP by POST, the rest by GET.

The signing service of this installation is reached as every call to it is; whatever else a certificate names has to be
public, unless an operator vouches for its origin.
"""

import threading
import time
from collections import OrderedDict
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from gateway.clients.http import client_for
from gateway.clients.outbound import Allowed, Bounds, call, origin_of, raise_for_status
from gateway.errors import OutboundError

TIMESTAMP = Bounds(seconds=10, size=64 * 1024)
OCSP = Bounds(seconds=5, size=64 * 1024)
CERTIFICATE = Bounds(seconds=5, size=64 * 1024)
REVOCATION_LIST = Bounds(seconds=10, size=8 * 1024 * 1024)
# Documents of one batch have the same certificates: what was answered is not asked again for so long.
_KEPT_SECONDS = 60
_MOST_KEPT = 64
_LONGEST_KEPT = 256 * 1024
_kept: OrderedDict[tuple[str, bytes], tuple[float, bytes]] = OrderedDict()
_lock = threading.Lock()


def ask_for_timestamp(query: bytes) -> bytes:
    """RFC 3161, 3.4: the answer's bytes. Raises `OutboundError`."""
    return _call("POST", settings.TIMESTAMP_URL, TIMESTAMP, content=query, media_type="application/timestamp-query")


def ask_responder(url: str, request: bytes) -> bytes:
    """RFC 6960, appendix A. Raises `OutboundError`."""
    return _kept_call("POST", url, OCSP, content=request, media_type="application/ocsp-request")


def fetch_revocation_list(url: str) -> bytes:
    """Raises `OutboundError`."""
    return _kept_call("GET", url, REVOCATION_LIST)


def fetch_certificate(url: str) -> bytes:
    """Raises `OutboundError`."""
    return _kept_call("GET", url, CERTIFICATE)


def _kept_call(method: str, url: str, bounds: Bounds, *, content: bytes = b"", media_type: str = "") -> bytes:
    key = (url, content)
    with _lock:
        if (found := _kept.get(key)) and found[0] > time.monotonic():
            return found[1]
    answer = _call(method, url, bounds, content=content, media_type=media_type)
    if len(answer) > _LONGEST_KEPT:
        return answer
    with _lock:
        _kept[key] = (time.monotonic() + _KEPT_SECONDS, answer)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return answer


def forget() -> None:
    """What is kept is asked for again."""
    with _lock:
        _kept.clear()


def _call(method: str, url: str, bounds: Bounds, *, content: bytes = b"", media_type: str = "") -> bytes:
    headers = {"Content-Type": media_type} if media_type else {}
    if _is_own(url):
        return _call_own(method, url, bounds, content, headers)
    # Who configures a source vouches for it.
    vouched = [*settings.PRIVATE_ORIGINS, *([url] if url == settings.TIMESTAMP_URL else [])]
    allowed = Allowed(("http", "https"), {origin_of(each) for each in vouched})
    return call(method, url, bounds=bounds, allowed=allowed, content=content or None, headers=headers)


def _is_own(url: str) -> bool:
    """The signing service's own address, with TLS or, as certificates name it, without."""
    own, parts = urlsplit(settings.RSSP_URL), urlsplit(url)
    return parts.netloc == own.netloc and parts.scheme in {own.scheme, "http"}


def _call_own(method: str, url: str, bounds: Bounds, content: bytes, headers: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    client = client_for(f"{parts.scheme}://{parts.netloc}")
    try:
        with client.stream(method, url, content=content or None, headers=headers, timeout=bounds.seconds) as response:
            raise_for_status(response)
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > bounds.size:
                    raise OutboundError("The answer is longer than any real one.")
            return bytes(body)
    except httpx.HTTPError as error:
        raise OutboundError(f"The server could not be asked ({type(error).__name__}).") from error
