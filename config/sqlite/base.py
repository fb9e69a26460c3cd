"""Writers of one database file wait for their turn before they ask SQLite for its lock.

SQLite has one writer at a time, and whoever finds it taken sleeps ever longer (up to 0.1 s) before asking again, while
the lock lies free. Here threads of a process queue for a lock of the process, and the first of each queue for a lock on
a file beside the database; the kernel takes that away when a process dies. It is courtesy, not safety: SQLite's own
lock still decides, and who waits longer than the connection's ``timeout`` goes on to that one.
"""

import fcntl
import os
import threading
import time
from collections import defaultdict
from typing import Any

from django.db.backends.sqlite3 import base

_LONGEST_SLEEP = 0.001
_queues: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
os.register_at_fork(after_in_child=_queues.clear)  # held, perhaps, by threads that a child does not have


class DatabaseWrapper(base.DatabaseWrapper):
    """Holds its turn from the beginning of a transaction to its end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file: int | None = None
        self._queue: threading.Lock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in its stubs
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]  # not in its stubs
        finally:
            if self.connection is None or not self.connection.in_transaction:
                self._end_turn()  # a commit that failed leaves its transaction open, for a rollback

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # not in its stubs
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # not in its stubs
        finally:
            self._end_turn()
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _take_turn(self) -> None:
        name = str(self.settings_dict["NAME"])
        if self._queue is not None or self.is_in_memory_db():
            return
        until = time.monotonic() + float(self.settings_dict["OPTIONS"].get("timeout", 5))
        queue = _queues[name]
        if not queue.acquire(timeout=max(0.0, until - time.monotonic())):
            return
        self._queue = queue
        if self._file is None:
            self._file = os.open(f"{name}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        sleep = _LONGEST_SLEEP / 16
        while time.monotonic() < until:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(sleep)
                sleep = min(sleep * 2, _LONGEST_SLEEP)

    def _end_turn(self) -> None:
        if self._queue is None:
            return
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        queue, self._queue = self._queue, None
        queue.release()
