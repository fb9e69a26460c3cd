"""Writers of one SQLite file take turns, and a turn ends whatever becomes of its transaction."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from config.env import database
from config.sqlite.base import DatabaseWrapper

pytestmark = pytest.mark.django_db(databases=["default"])
HOLD = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


class Writer:
    """A connection of its own, with a table to write to."""

    def __init__(self, path: Path, *, timeout: float = 20) -> None:
        settings: dict[str, Any] = {
            **database(f"sqlite://{path}"),
            "AUTOCOMMIT": True,
            "ATOMIC_REQUESTS": False,
            "CONN_HEALTH_CHECKS": False,
            "TIME_ZONE": None,
        }
        settings["OPTIONS"] = {**settings["OPTIONS"], "timeout": timeout}
        self.connection = DatabaseWrapper(settings, alias=f"writer {id(self)}")
        self.connection.inc_thread_sharing()
        self.run("CREATE TABLE IF NOT EXISTS word (word TEXT)")

    def run(self, statement: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def begin(self) -> None:
        self.connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

    def commit(self) -> None:
        self.connection.commit()
        self.connection.set_autocommit(True)

    def roll_back(self) -> None:
        self.connection.rollback()
        self.connection.set_autocommit(True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.sqlite3"


@pytest.fixture
def pair(path: Path) -> Iterator[tuple[Writer, Writer]]:
    writers = Writer(path), Writer(path, timeout=0.3)
    yield writers
    for writer in writers:
        writer.connection.close()


def may_begin(writer: Writer) -> bool:
    try:
        writer.begin()
    except OperationalError:
        return False
    writer.roll_back()
    return True


def test_many_threads_write_one_after_the_other(path: Path) -> None:
    Writer(path).connection.close()

    def write() -> None:
        writer = Writer(path)
        for _ in range(10):
            writer.begin()
            count = writer.run("SELECT count(*) FROM word")[0][0]
            writer.run(f"INSERT INTO word VALUES ('{count}')")  # noqa: S608  (a number)
            writer.commit()
        writer.connection.close()

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    words = Writer(path).run("SELECT word FROM word")
    assert sorted(int(word) for (word,) in words) == list(range(60))


@pytest.mark.parametrize("end", ["commit", "roll_back", "close"])
def test_a_turn_ends_with_its_transaction(pair: tuple[Writer, Writer], end: str) -> None:
    one, other = pair
    one.begin()
    one.run("INSERT INTO word VALUES ('a')")
    assert not may_begin(other)
    one.connection.close() if end == "close" else getattr(one, end)()
    assert may_begin(other)


def test_a_transaction_that_cannot_begin_leaves_the_turn_to_others(pair: tuple[Writer, Writer], path: Path) -> None:
    one, other = pair
    with sqlite3.connect(path, isolation_level=None) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        assert not may_begin(other)
        foreign.execute("ROLLBACK")
    foreign.close()
    assert may_begin(one)
    assert may_begin(other)


def test_a_process_that_dies_takes_its_turn_with_it(pair: tuple[Writer, Writer], path: Path) -> None:
    _, other = pair
    process = subprocess.Popen([sys.executable, "-c", HOLD, f"{path}-writer"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    waiting = Writer(path)
    began = time.monotonic()
    ender = threading.Timer(0.2, process.kill)
    ender.start()
    waiting.begin()
    assert 0.1 < time.monotonic() - began < 10
    waiting.roll_back()
    waiting.connection.close()
    process.wait(10)
    assert may_begin(other)


def test_who_waits_too_long_asks_sqlite_itself(pair: tuple[Writer, Writer], path: Path) -> None:
    """The queue is courtesy: somebody who keeps it and writes nothing keeps nobody from writing."""
    _, other = pair
    process = subprocess.Popen([sys.executable, "-c", HOLD, f"{path}-writer"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert may_begin(other)
    process.kill()
    process.wait(10)


def test_the_queue_is_the_owner_s_alone(pair: tuple[Writer, Writer], path: Path) -> None:
    assert may_begin(pair[0])
    assert path.with_name(f"{path.name}-writer").stat().st_mode & 0o077 == 0
