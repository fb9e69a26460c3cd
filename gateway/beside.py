"""Work that a thread does while its caller does something else."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

# To hash so many bytes takes longer than to start a thread.
LARGE = 1_000_000


@contextmanager
def beside(work: Callable[[], T], *, size: int) -> Iterator[Callable[[], T]]:
    """What gives the result of ``work`` over ``size`` bytes, or raises as it does. The time in the block goes into it;
    where it is little work, or no thread can be started, it is done when it is asked for."""
    result: Callable[[], T] = work
    with ThreadPoolExecutor(1) as threads:
        if size >= LARGE:
            try:
                # What is logged tells of the same request.
                result = threads.submit(copy_context().run, work).result
            except RuntimeError:
                result = work
        yield result
