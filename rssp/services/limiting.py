"""How often somebody may ask: one rule for every limit of this role.

A limit is a number a minute, 0 for none. Who has not asked for a minute may ask so often at once; what was used comes
back evenly. All that is kept of a caller is the moment at which nothing of theirs will be used any more (the generic
cell rate algorithm), so a caller whose moment has passed is one who was never here.

`Limit` counts in this process alone, which costs a dictionary's look-up: with several web processes a caller has the
number at each of them. `take_shared` counts for all processes at the price of a row, for what writes rows anyway.
"""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

from rssp.errors import TooManyRequestsError
from rssp.models import RateLimit

_MOST_KEYS = 10_000
_WINDOW = 60.0  # seconds
_ROUNDING = 1e-6


def _use(moment: float, now: float, per_minute: int) -> float:
    """The caller's next moment. Raises `TooManyRequestsError`. A moment that a clock set back has left too far ahead
    costs nobody more than the whole number."""
    step = _WINDOW / per_minute
    after = min(max(moment, now), now + _WINDOW) + step
    if (excess := after - now - _WINDOW) > _ROUNDING:
        raise TooManyRequestsError("a limit is reached", seconds=max(1, math.ceil(excess - _ROUNDING)))
    return after


class Limit:
    """What this process has counted, of the 10,000 that asked last; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moments: OrderedDict[str, float] = OrderedDict()

    def take(self, per_minute: Mapping[str, int]) -> None:
        """Counts one for each key, or none and raises `TooManyRequestsError`."""
        with self._lock:
            now = self._clock()
            limited = {key: number for key, number in per_minute.items() if number}
            after = {key: _use(self._moments.get(key, now), now, number) for key, number in limited.items()}
            for key, moment in after.items():
                self._moments[key] = moment
                self._moments.move_to_end(key)
            while len(self._moments) > _MOST_KEYS:
                self._moments.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._moments.clear()


def take_shared(*, key: str, per_minute: int) -> None:
    """Counts one for ``key`` in all processes, in the caller's transaction. Raises `TooManyRequestsError`."""
    if not per_minute:
        return
    now = timezone.now()
    row, _ = RateLimit.objects.select_for_update().get_or_create(key=key, defaults={"moment": now})
    after = _use(row.moment.timestamp(), now.timestamp(), per_minute)
    row.moment = datetime.fromtimestamp(after, UTC)
    row.save(update_fields=["moment"])


def clear_limits() -> int:
    """Forgets, in the database, whose moment has passed."""
    over = RateLimit.objects.filter(moment__lt=timezone.now())
    # One lock at a time: who counts several callers in one transaction holds some of them, in an order of its own.
    return sum(over.filter(pk=pk).delete()[0] for pk in list(over.values_list("pk", flat=True)))


# --- Callers of the CSC API ---------------------------------------------------------------------------------

clients, addresses = Limit(), Limit()


def count_client(*, client_id: str) -> None:
    """One call of an OAuth client. Raises `TooManyRequestsError`."""
    clients.take({client_id: settings.CSC_CALLS_PER_CLIENT})


def count_address(*, address: str) -> None:
    """One call of somebody who shows no token that opens the method. Raises `TooManyRequestsError`."""
    addresses.take({network_of(address): settings.CSC_CALLS_PER_ADDRESS})


def network_of(address: str) -> str:
    """Whom an address stands for: who has one of IPv6 has a /64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed), 64), strict=False))
