"""F19: an instance under a steady rate for as long as one likes, in which nothing grows and nothing is lost.

``ENDURANCE_MINUTES`` (120) and ``ENDURANCE_RATE`` (calls of signHash a second, 5) say how long and how much. Beside
them people upload, sign, download and delete documents, log in anew and are refused what they may not have. Looked at
are each process's memory, handles and threads, HSM sessions, connections, files that are for a moment, and tables.
"""

import os
import re
import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pytest

from tests.flows.chain import Chain, Signer, report
from tests.support.pdfs import make_pdf
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.postgresql]

MINUTES = float(os.environ.get("ENDURANCE_MINUTES", "120"))
RATE = float(os.environ.get("ENDURANCE_RATE", "5"))
_APPROVED, _LOOKS = 20, 40
# How much more the last quarter's median may be than the second's,
# (share, and so much): caches fill, and threads are made as they are needed.
_ALLOWED = {
    "MB": (0.05, 8),
    "handles": (0, 8),
    "threads": (0, 4),
    "HSM sessions": (0, 2),
    "connections": (0, 6),
    "temporary files": (0, 3),
    "kept job files": (0, 10),
}


@dataclass
class Watcher:
    """Looks at an instance again and again; ``seen`` has each measure's values in their order."""

    chain: Chain
    seen: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    _read: dict[Path, int] = field(default_factory=dict)
    _open: Counter[str] = field(default_factory=Counter)

    def look(self) -> None:
        for name, leader in self.chain.instance.processes.items():
            for number, pid in enumerate(sorted(group_of(leader.pid))):
                self._look_at(f"{name} {number}", pid)
        self._add("HSM", "HSM sessions", self._sessions())
        with psycopg.connect(dict(self.chain.databases)["rssp"]) as connection:
            (count,) = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL").fetchone()  # type: ignore[misc]
        self._add("PostgreSQL", "connections", count)
        var_dir = self.chain.instance.var_dir
        self._add("instance", "temporary files", count_files(var_dir / "tmp"))
        self._add("instance", "kept job files", count_files(var_dir / "gateway-documents"))

    def _look_at(self, name: str, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            handles = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            return  # one of the processes that live for one document
        found = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
        self._add(name, "MB", int(found.get("VmRSS", 0)) / 1024)
        self._add(name, "handles", handles)
        self._add(name, "threads", int(found["Threads"]))

    def _add(self, name: str, measure: str, value: float) -> None:
        self.seen[name, measure].append(value)

    def _sessions(self) -> int:
        """By what pkcs11-spy has written since the last look."""
        for log in (self.chain.folder / "spy").glob("log.*"):
            with log.open("rb") as lines:
                lines.seek(self._read.get(log, 0))
                text = lines.read().decode(errors="replace")
                self._read[log] = lines.tell()
            self._open[log.name] += len(re.findall(r"^\d+: C_OpenSession$", text, re.MULTILINE))
            self._open[log.name] -= len(re.findall(r"^\d+: C_CloseSession$", text, re.MULTILINE))
        return self._open.total()

    def grown(self) -> dict[str, tuple[float, float]]:
        """What is more in the last quarter than in the second, by more than is allowed."""
        found = {}
        for (name, measure), values in self.seen.items():
            quarter = len(values) // 4
            before, after = median(values[quarter : 2 * quarter]), median(values[-quarter:])
            share, more = _ALLOWED[measure]
            if after > before * (1 + share) + more:
                found[f"{name}: {measure}"] = (before, after)
        return found

    def describe(self) -> list[str]:
        lines = []
        for measure in _ALLOWED:
            told = [
                f"{name} {median(values[quarter : 2 * quarter]):.0f} → {median(values[-quarter:]):.0f}"
                for (name, which), values in self.seen.items()
                if which == measure and (quarter := len(values) // 4)
            ]
            lines.append(f"{measure}: {', '.join(told)}")
        return lines


def group_of(leader: int) -> list[int]:
    """Processes that live on: the leader and its children, not those that they make for a moment."""
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text(encoding="ascii").split()
    return [leader, *map(int, children)]


def count_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


@dataclass
class Load:
    """What people and programs do meanwhile; ``counts`` says how often, ``wrong`` what went otherwise."""

    chain: Chain
    ended: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def call(self, signer: Signer) -> None:
        """One digest a call, at the rate, and each approval once more when it is used up."""
        due = time.monotonic()
        while not self.ended.is_set():
            digests = [digest_of(secrets.token_hex(8)) for _ in range(_APPROVED)]
            token = signer.ask(*digests)
            for digest in digests:
                due = max(due + 1 / RATE, time.monotonic() - 1)
                self.ended.wait(max(0, due - time.monotonic()))
                self._note("signHash", signer.sign(token, digest).status_code, 200)
            self._note("refused", signer.sign(token, digests[0]).status_code, 400)

    def live(self, signer: Signer) -> None:
        """A document from upload to download, deleted afterwards, and now and then a new login."""
        walker, round_ = signer.walker, 0
        while not self.ended.is_set():
            path = walker.upload(make_pdf())
            walker.prepare(path, credential_id=signer.credential)
            walker.approve(walker.begin_approval(path))
            self._note("documents", walker.wait(path), "signed")
            assert walker.download(path).startswith(b"%PDF")
            walker.send(walker.open(path), f"{path}/delete")
            round_ += 1
            if round_ % 5 == 0:
                walker.log_in()
                self.counts["logins"] += 1
            # Less than the two seconds after which the server closes what is idle: a request would meet that.
            self.ended.wait(1)

    def _note(self, what: str, came: Any, wanted: Any) -> None:
        self.counts[what] += 1
        if came != wanted:
            self.wrong.append(f"{what}: {came}")

    @contextmanager
    def running(self, *tasks: Callable[[], None]) -> Iterator[None]:
        def guarded(task: Callable[[], None]) -> None:
            try:
                task()
            except BaseException as error:  # noqa: BLE001  (told at the end)
                self.wrong.append(f"{type(error).__name__}: {str(error)[:300]}")

        threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.ended.set()
            for thread in threads:
                thread.join()


def rows_of(chain: Chain) -> Counter[str]:
    """Of each table in PostgreSQL, counted."""
    found: Counter[str] = Counter()
    for role, _ in chain.databases:
        tables = chain.rows(role, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables:
            found[table] += chain.rows(role, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608  (names of tables)
    return found


def test_f19_under_a_steady_rate_nothing_grows_and_nothing_is_lost(several: Chain) -> None:
    load, watcher = Load(several), Watcher(several)
    halves = []
    with (
        several.signer("Alice", "ec-p256") as alice,
        several.signer("Bob", "ec-p256") as bob,
        load.running(lambda: load.call(alice), lambda: load.live(bob)),
    ):
        begun, looked = time.monotonic(), MINUTES * 60 / (2 * _LOOKS)
        before = rows_of(several), Counter(load.counts)
        for _half in range(2):
            for _look in range(_LOOKS):
                load.ended.wait(looked)
                watcher.look()
            now = rows_of(several), Counter(load.counts)
            halves.append((now[0] - before[0], now[1] - before[1]))
            before = now
        lasted = (time.monotonic() - begun) / 60
    several.instance.verify_alive()
    report(f"{lasted:.0f} minutes: {dict(load.counts)}, otherwise than it should be: {len(load.wrong)}")
    for line in watcher.describe():
        report(line)
    each = {table: [rows[table] / calls["signHash"] for rows, calls in halves] for table in halves[0][0] | halves[1][0]}
    shown = {table: f"{first:.2f}, {second:.2f}" for table, (first, second) in sorted(each.items()) if second > 0.05}
    report(f"rows for a signHash, in the first and the second half: {shown}")
    assert not load.wrong, load.wrong[:5]
    assert watcher.grown() == {}
    assert {table: rates for table, rates in each.items() if rates[1] > 1.3 * rates[0] + 0.1} == {}
