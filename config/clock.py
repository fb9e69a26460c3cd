"""A clock that is set back gives nothing its life again: no approval, SAD, token, login, link or answer about a status.

What ends at a moment has ended for good. A web process compares the system's clock with `CLOCK_BOOTTIME`, which nobody
can set and which goes on while the machine sleeps, and answers 503 from the moment it sees the clock go back until the
clock says again what it said. At its start it compares with what the served roles wrote down last, so that a restart
forgets nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connections

log = logging.getLogger(__name__)

# Discipline moves a clock by less; clocks of several machines may differ by more (`LEEWAY`).
LARGEST_STEP = 10.0
LEEWAY = timedelta(seconds=60)


class Watch:
    """Of one process. Safe in threads. Seconds since 1970 (wall) and since some moment (elapsed)."""

    def __init__(
        self,
        read_wall: Callable[[], float] = time.time,
        read_elapsed: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self.read_wall, self.read_elapsed = read_wall, read_elapsed
        self._lock = threading.Lock()
        self._offset = read_wall() - read_elapsed()
        self._mark = 0.0

    def expect(self, moment: float) -> None:
        """The clock said ``moment`` once, so it is at least that now."""
        with self._lock:
            self._mark = max(self._mark, moment)

    def read_missing(self) -> float:
        """Seconds until the clock says again what it said before it was set back; 0 where it never was."""
        with self._lock:
            # Wall first: a process that is stopped between the two sees a clock that is behind for one reading, and
            # not one that is ahead for good.
            wall, elapsed = self.read_wall(), self.read_elapsed()
            lost = elapsed + self._offset - wall
            if lost > LARGEST_STEP:
                self._mark = max(self._mark, wall + lost)
                self._offset -= lost
                log.critical("the clock was set back by %.0f seconds: nothing is answered for as long", lost)
            self._offset = max(self._offset, wall - elapsed)
            return max(0.0, self._mark - wall)


WATCH = Watch()


def expect_what_was_recorded() -> None:
    """Reads what the served roles wrote last. A database that is down is not waited for: its role answers nothing."""
    for role in settings.ROLES:
        try:
            latest = _read_latest(role)
        except DatabaseError as error:
            log.warning("the clock was not compared with what %s recorded: %s", role, type(error).__name__)
            continue
        if latest is not None:
            WATCH.expect((latest - LEEWAY).timestamp())
    if missing := WATCH.read_missing():
        log.critical("the clock is behind what was recorded by %.0f seconds: nothing is answered for as long", missing)
    connections.close_all()


def _read_latest(role: str) -> datetime | None:
    if role == "rssp":
        from rssp.services.auditing import read_latest_moment

        return read_latest_moment()
    if role == "authz":
        from authz.services.events import read_latest_moment as read_latest_event

        return read_latest_event()
    return None
