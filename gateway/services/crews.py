"""Several threads of this process at one thing, each step of theirs under a lease of its own. So the one slot of the
worker that was rung uses all cores, and the others stay free for what somebody waits for."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from django.db import connections

# One more than there are cores, because each waits for the disk and for its child at times; bounded, because no
# machine is all for one thing.
LANES = min((os.cpu_count() or 1) + 1, 8)
# A fraction of a lease: what one document takes longer does not matter then.
_STEP_SECONDS = 5.0
_changed = threading.Condition()
_crews: dict[uuid.UUID, "_Crew"] = {}
_ending = threading.Event()
T = TypeVar("T")


@dataclass(eq=False)
class _Crew:
    """``busy``: threads in a step. ``found`` counts the steps that found something to do, and bells: after each, who
    found nothing may find something."""

    step: Callable[[int], bool]
    until: float
    busy: int = 0
    found: int = 0
    over: bool = False


def end_soon() -> None:
    """This process is to end: each crew ends its steps, each step ends with the document that it is at."""
    _ending.set()


def work_together(*, on: uuid.UUID, step: Callable[[int], bool], seconds: float) -> bool:
    """Takes steps, in several threads, until none of them finds anything to do or so many seconds are over; whether
    there may be more. ``step`` is told the number of its thread, from 0, and says whether it found something.
    Where this process has a crew at it already, that one looks again instead."""
    with _changed:
        if (at_it := _crews.get(on)) is not None:
            at_it.found += 1
            _changed.notify_all()
            return False
        crew = _crews[on] = _Crew(step, time.monotonic() + seconds)
    try:
        with ThreadPoolExecutor(LANES, thread_name_prefix="crew") as threads:
            others = [threads.submit(_in_a_thread, crew, number) for number in range(1, LANES)]
            left = _take_steps(crew, 0)
        return any([left, *(other.result() for other in others)])
    finally:
        with _changed:
            _end(crew)


def _end(crew: _Crew) -> None:
    crew.over = True
    for on in [on for on, one in _crews.items() if one is crew]:
        del _crews[on]


def _in_a_thread(crew: _Crew, number: int) -> bool:
    try:
        return _take_steps(crew, number)
    finally:
        connections.close_all()


def _take_steps(crew: _Crew, number: int) -> bool:
    """Whether the time was over before there was nothing to do."""
    while True:
        with _changed:
            if crew.over or time.monotonic() > crew.until or _ending.is_set():
                return not crew.over
            seen = crew.found
            crew.busy += 1
        found = False
        try:
            found = crew.step(number)
        finally:
            with _changed:
                crew.busy -= 1
                crew.found += found
                _changed.notify_all()
        if not found:
            _wait(crew, seen)


def _wait(crew: _Crew, seen: int) -> None:
    """For the steps of others: each may make work, or free what it held. When all have found nothing, it is over."""
    with _changed:
        _changed.wait_for(lambda: crew.over or crew.found != seen or not crew.busy)
        if crew.found == seen:
            _end(crew)


def in_time(waiting: list[T]) -> Iterator[T]:
    """Takes one after the other out of the list, the first in any case, until the step's time is over: what is left in
    it was not begun."""
    until = time.monotonic() + _STEP_SECONDS
    is_first = True
    while waiting and (is_first or (time.monotonic() < until and not _ending.is_set())):
        is_first = False
        yield waiting.pop(0)
