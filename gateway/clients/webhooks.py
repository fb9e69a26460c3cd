"""Telling a client's address of an event, as Standard Webhooks 1.0.0 says: an id, a time, and a signature over both and
the body. What the address answers is not read beyond its status."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence

from django.conf import settings

from gateway.clients.outbound import Allowed, Bounds, call, origin_of

BOUNDS = Bounds(seconds=5, size=64 * 1024)
_PREFIX = "whsec_"


def make_secret() -> str:
    """192 to 512 bits are called for."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(*, secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def allowed_for(url: str) -> Allowed:
    """https alone, and public hosts alone, but for origins that an operator vouches for."""
    is_vouched = origin_of(url) in {origin_of(each) for each in settings.PRIVATE_ORIGINS}
    return Allowed(("https", "http") if is_vouched else ("https",), {origin_of(url)} if is_vouched else frozenset())


def send(*, url: str, signers: Sequence[str], message_id: str, body: bytes) -> None:
    """Raises `OutboundRefusedError` if nothing was sent, `OutboundError` if it was not taken."""
    timestamp = int(time.time())
    signatures = [sign(secret=each, message_id=message_id, timestamp=timestamp, body=body) for each in signers]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Paraph",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
    call("POST", url, bounds=BOUNDS, allowed=allowed_for(url), content=body, headers=headers)
