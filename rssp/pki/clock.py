"""The time that a time-stamp states: the system's clock, and who vouches for it (EN 319 421, 7.7).

A clock that jumped is worse than none, so it is compared with `CLOCK_BOOTTIME`, which nobody can set and which goes on
while a machine sleeps. Setting the clock by more than the largest step leaves this process without a time until it is
set back or the process starts again.
"""

import ctypes
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from rssp.errors import TimeNotAvailableError

_STA_UNSYNC = 0x0040  # adjtimex(2)
# struct timex: modes, offset, freq, maxerror (microseconds), esterror, status.
_TIMEX = struct.Struct("@Illlli")
_TIMEX_BYTES = 512
_SECOND, _MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)


class TimeSource(Protocol):
    """Who knows how wrong the system's clock may be."""

    def read_error(self) -> timedelta | None:
        """The largest error now; None where nobody vouches. Raises `TimeNotAvailableError`."""
        ...


class Unvouched:
    """Nobody vouches for the clock: good for trying things, and the policy of a token says so."""

    def read_error(self) -> None:
        return None


@dataclass(frozen=True)
class KernelState:
    """What adjtimex(2) tells: ``status`` holds flags, ``largest_error`` is in microseconds."""

    status: int
    largest_error: int


def read_kernel_state() -> KernelState:
    """Raises `TimeNotAvailableError` where the kernel does not tell."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(buffer) < 0:
        raise TimeNotAvailableError(f"adjtimex: {os.strerror(ctypes.get_errno())}")
    _modes, _offset, _freq, largest_error, _esterror, status = _TIMEX.unpack_from(buffer.raw)
    return KernelState(status, largest_error)


class KernelTimeSource:
    """The kernel, which whatever disciplines the clock (chrony, ntpd, systemd-timesyncd) keeps informed."""

    def __init__(self, read_state: Callable[[], KernelState] = read_kernel_state) -> None:
        self._read_state = read_state

    def read_error(self) -> timedelta:
        state = self._read_state()
        if state.status & _STA_UNSYNC:
            raise TimeNotAvailableError("the kernel says that the clock is not synchronised")
        return timedelta(microseconds=state.largest_error)


TIME_SOURCES: dict[str, Callable[[], TimeSource]] = {"none": Unvouched, "kernel": KernelTimeSource}


def granularity(accuracy: timedelta) -> timedelta:
    """Whole seconds, unless they would use up the accuracy: then milliseconds."""
    return _SECOND if accuracy >= 2 * _SECOND else _MILLISECOND


@dataclass
class Clock:
    """``accuracy`` is what tokens claim; ``largest_step`` how far the clock may be set while we look on."""

    source: TimeSource
    accuracy: timedelta
    largest_step: timedelta
    read_wall: Callable[[], float] = time.time
    read_elapsed: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.read_wall() - self.read_elapsed()

    def read_time(self) -> datetime:
        """Now, cut to `granularity`. Raises `TimeNotAvailableError` where that might be wrong by more than the
        accuracy."""
        self._verify_error()
        elapsed, wall = self.read_elapsed(), self.read_wall()
        if abs(wall - elapsed - self._began) > self.largest_step.total_seconds():
            raise TimeNotAvailableError("the system's clock was set")
        moment = datetime.fromtimestamp(wall, UTC)
        lost = moment.microsecond % (granularity(self.accuracy) // timedelta(microseconds=1))
        return moment - timedelta(microseconds=lost)

    def _verify_error(self) -> None:
        error = self.source.read_error()
        if error is not None and error + granularity(self.accuracy) > self.accuracy:
            raise TimeNotAvailableError("the clock's error may be larger than the accuracy that tokens claim")
