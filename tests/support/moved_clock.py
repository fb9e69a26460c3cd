"""The clock of this process, moved as an operator's hand or a bad time server moves a machine's.

``clock(minutes=20)`` is what passes, ``clock.set_back(hours=1)`` is what is done to the clock: `CLOCK_BOOTTIME` goes on
with the first and knows nothing of the second.
"""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from config import clock as watching
from config.clock import Watch


class MovedClock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._passed, self._set = timedelta(), timedelta()
        wall, now = time.time, timezone.now
        monkeypatch.setattr(time, "time", lambda: wall() + (self._passed + self._set).total_seconds())
        monkeypatch.setattr(timezone, "now", lambda: now() + self._passed + self._set)
        self._monkeypatch = monkeypatch
        self.restart()

    def __call__(self, **passed: float) -> None:
        self._passed += timedelta(**passed)

    def set_back(self, **by: float) -> None:
        self._set -= timedelta(**by)

    def restart(self) -> None:
        """Forgets what a process remembers that ends."""
        elapsed = time.monotonic
        fresh = Watch(lambda: time.time(), lambda: elapsed() + self._passed.total_seconds())
        self._monkeypatch.setattr(watching, "WATCH", fresh)
