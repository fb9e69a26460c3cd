"""Celery's messages as files, for installations without Redis: Kombu's transport, with whole files only.

Kombu opens a message's file under its final name and writes it then. A worker that looks in between reads nothing,
takes that for a message and ends; a process that is killed in between leaves such a file behind. Here files get their
names when they are complete, and one that is not readable is passed over: a bell that nobody hears is rung again by the
sweep.
"""

import fcntl
import json
import logging
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

log = logging.getLogger(__name__)

SCHEME = "wholefiles"


class Channel(filesystem.Channel):
    """Reads what Kombu's own channel wrote, and the reverse."""

    def _put(self, queue: str, payload: Any, **_options: Any) -> None:  # type: ignore[override]  # as its parent has it
        name = f"{int(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, payload)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)  # type: ignore[no-untyped-call]  # Kombu is typed in part
        except ValueError:
            log.warning("a message that is no JSON was dropped")
            raise Empty from None

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file: Path = self._exchange_file(exchange)  # type: ignore[no-untyped-call]  # Kombu is typed in part
        with (file.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                bound = json.loads(file.read_bytes())
            except (FileNotFoundError, ValueError):
                bound = []
            wanted = [routing_key or "", pattern or "", queue or ""]
            if wanted not in bound:
                _write_whole(file, [wanted, *bound])


class Transport(filesystem.Transport):
    Channel = Channel


def _write_whole(path: Path, content: Any) -> None:
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    hidden.write_text(dumps(content), encoding="utf-8")  # type: ignore[no-untyped-call]  # Kombu is typed in part
    hidden.replace(path)
