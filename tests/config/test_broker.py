"""Messages as files: only whole ones are ever seen, and what is broken stops nobody."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from config import broker, celery


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Any]:
    folders = {"data_folder_in": tmp_path / "queue", "data_folder_out": tmp_path / "queue", "control_folder": tmp_path}
    (tmp_path / "queue").mkdir()
    # Kombu remembers for the whole process what it has bound.
    broker.Transport.global_state.clear()
    opened: list[Connection] = []

    def make() -> Any:
        options = {name: str(folder) for name, folder in folders.items()} | {"polling_interval": 0.01}
        opened.append(Connection(f"{broker.SCHEME}://", transport_options=options))
        return opened[-1].SimpleQueue("celery")

    yield make
    for connection in opened:
        connection.release()
    broker.Transport.global_state.clear()


def drain(queue: Any, count: int) -> list[Any]:
    found = []
    for _ in range(count):
        message = queue.get(timeout=20)
        message.ack()
        found.append(message.payload)
    return found


def test_readers_that_look_all_the_time_see_whole_messages_only(connect: Any) -> None:
    count = 400
    reader, writers = connect(), [connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        sent = [
            threads.submit(lambda queue=queue, start=start: [queue.put({"n": n}) for n in range(start, count, 4)])
            for start, queue in enumerate(writers)
        ]
        found = drain(reader, count)
        assert all(each.result() for each in sent)
    assert sorted(item["n"] for item in found) == list(range(count))


@pytest.mark.parametrize("left", [b"", b'{"body": "abc', b"\xff\xfe"])
def test_what_a_killed_process_left_behind_stops_nobody(connect: Any, tmp_path: Path, left: bytes) -> None:
    queue = connect()
    (tmp_path / "queue" / "0_left.celery.msg").write_bytes(left)
    (tmp_path / "queue" / ".0_hidden.celery.msg.ab").write_bytes(left)
    with pytest.raises(Empty):
        queue.get(timeout=0.2)
    queue.put({"n": 1})
    assert drain(queue, 1) == [{"n": 1}]


def test_a_half_written_table_of_queues_is_written_anew(connect: Any, tmp_path: Path) -> None:
    (tmp_path / "celery.exchange").write_bytes(b"")
    queue = connect()
    queue.put({"n": 1})
    assert drain(queue, 1) == [{"n": 1}]


def test_the_installation_uses_it(settings: Any) -> None:
    assert settings.CELERY_BROKER_URL.startswith(f"{broker.SCHEME}://")
    assert celery.app.connection_for_write().transport.__class__ is broker.Transport
