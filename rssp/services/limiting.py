"""How many signatures strangers get out of the responder's key, each and together, so that nobody keeps the HSM busy.

Counted in this process alone: a row for each request would cost more than what it saves. With several web processes
each has the limits for itself.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings

from rssp.errors import StatusTryLaterError

_MOST_ADDRESSES = 10_000
_EVERYBODY = ""


class SignatureLimit:
    """Buckets that hold a minute's signatures and fill again evenly; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Counts one; raises `StatusTryLaterError` over a limit."""
        key = _network_of(address)
        with self._lock:
            mine = self._filled(key, settings.OCSP_SIGNATURES_PER_ADDRESS)
            everybodys = self._filled(_EVERYBODY, settings.OCSP_SIGNATURES)
            if min(mine, everybodys) < 1:
                raise StatusTryLaterError("the limit of signed answers is reached")
            now = self._clock()
            self._put(key, mine - 1, now)
            self._put(_EVERYBODY, everybodys - 1, now)

    def _filled(self, key: str, per_minute: int) -> float:
        left, since = self._buckets.get(key, (float(per_minute), self._clock()))
        return min(per_minute, left + (self._clock() - since) * per_minute / 60)

    def _put(self, key: str, left: float, now: float) -> None:
        self._buckets[key] = (left, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)


def _network_of(address: str) -> str:
    """Who has one IPv6 address has a network of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
