"""One at a time among the processes and threads of a machine."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rssp.errors import HsmUnavailableError

_POLL_SECONDS = 0.005


@contextmanager
def hold(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """The lock on the file at ``path``, which is made if need be. Raises `HsmUnavailableError` when it is not to be had
    in time."""
    deadline = time.monotonic() + wait_seconds
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise HsmUnavailableError(f"another process holds {path.name}") from None
                time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing does not let go while a child that was forked meanwhile lives
