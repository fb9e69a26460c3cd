"""Which process reads whose document, and when it ends (docs/decisions/0025-children-of-one-owner.md)."""

import fcntl
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.errors import DamagedPdfError, HostilePdfError
from gateway.pades import child, isolation, tasks
from gateway.pades import nursery as nurseries
from gateway.pades.conversation import KilledError, NoChildError, Request, ask, listen
from gateway.pades.nursery import Nursery
from gateway.pades.values import SignatureRequest
from tests.gateway.test_options import ALICE, SIGN_ALGO
from tests.support import pdfs


@dataclass(frozen=True)
class Person:
    subject: str
    issuer: str = "https://issuer.example"


ALICIA, BOB = Person("alice"), Person("bob")


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    own = Nursery()
    monkeypatch.setattr(isolation, "nursery", own)
    yield own
    own.close()


def children(nursery: Nursery) -> set[int]:
    """The processes that live, whatever they are at."""
    process = nursery._process
    assert process is not None
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(each) for each in listed.split()}


def wait_until_gone(nursery: Nursery, gone: set[int]) -> None:
    until = time.monotonic() + 60
    while children(nursery) & gone:
        assert time.monotonic() < until, "a child that nobody asks any more is still there"
        time.sleep(0.02)


def inspect(owner: isolation.Owner | None, pdf: bytes = b"") -> int:
    with tempfile.TemporaryFile() as file:
        file.write(pdf or pdfs.make_pdf())
        return isolation.inspect_document(file, max_pages=20, owner=owner).pages


def prepare(owner: isolation.Owner | None) -> None:
    request = SignatureRequest(chain=tuple(ALICE.chain), sign_algo=SIGN_ALGO, field_name="S", pages=1)
    with tempfile.TemporaryFile() as file:
        file.write(pdfs.make_pdf())
        isolation.prepare_document(file, request, owner=owner)


def test_documents_of_one_owner_are_read_by_one_child(nursery: Nursery) -> None:
    inspect(ALICIA)
    first = children(nursery)
    assert len(first) == 1
    for _ in range(3):
        inspect(ALICIA)
    assert children(nursery) == first


@pytest.mark.parametrize("other", [BOB, Person("alice", "https://other.example"), None])
def test_a_child_never_reads_for_two_owners(nursery: Nursery, other: Person | None) -> None:
    inspect(ALICIA)
    first = children(nursery)
    inspect(other)
    inspect(ALICIA)
    assert first <= children(nursery)
    assert [owner for owner, _ in nursery._kept if "alice" in owner and "issuer" in owner] == [
        isolation._kept_for("inspect", ALICIA)
    ]
    assert len(nursery._kept) == (1 if other is None else 2)


def test_without_an_owner_a_child_is_for_one_document(nursery: Nursery) -> None:
    inspect(None)
    assert nursery._kept == []
    wait_until_gone(nursery, children(nursery))


def test_who_draws_is_not_who_writes_and_can_only_read(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, set[int]]] = []
    run = Nursery.run

    def watched(self: Nursery, request: Request, *, kept_for: str = "") -> bytes:
        modes = {fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE for number in request.descriptors}
        asked.append((request.task, kept_for, modes))
        return run(self, request, kept_for=kept_for)

    monkeypatch.setattr(Nursery, "run", watched)
    prepare(ALICIA)
    (write, writes, _), (draw, draws, modes) = asked
    assert (write, draw) == ("prepare", "compare_pages")
    assert writes != draws
    assert modes == {os.O_RDONLY}
    assert len(children(nursery)) == 2


def test_a_file_that_may_only_be_read_cannot_be_written_by_a_child(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-")
    with child._open(os.open(path, os.O_RDONLY)) as file, pytest.raises(OSError, match=r"not writable|write"):
        file.write(b"x")


@pytest.mark.parametrize("pdf", [pdfs.make_pdf()[:-40], pdfs.make_bomb_pdf(1, 600)])
def test_a_child_that_refused_a_document_reads_no_other(nursery: Nursery, pdf: bytes) -> None:
    inspect(ALICIA)
    before = children(nursery)
    with pytest.raises((DamagedPdfError, HostilePdfError)):
        inspect(ALICIA, pdf)
    assert nursery._kept == []
    wait_until_gone(nursery, before)
    assert inspect(ALICIA) == 1


def test_what_one_document_turned_on_is_off_for_the_next(nursery: Nursery) -> None:
    """The warnings that refuse a hybrid-reference file are none for an ordinary one."""
    inspect(ALICIA, pdfs.make_hybrid_pdf())
    before = children(nursery)
    for _ in range(2):
        inspect(ALICIA)
        inspect(ALICIA, pdfs.make_hybrid_pdf())
    assert children(nursery) == before


def test_a_child_that_was_killed_while_it_waited_is_not_missed(nursery: Nursery) -> None:
    inspect(ALICIA)
    (waiting,) = children(nursery)
    os.kill(waiting, 9)
    wait_until_gone(nursery, {waiting})
    assert inspect(ALICIA) == 1
    assert children(nursery) not in ({waiting}, set())


def test_a_child_that_takes_too_long_is_ended_and_the_next_document_has_another_one(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect(ALICIA)
    before = children(nursery)
    monkeypatch.setattr(isolation, "WALL_SECONDS", 0.00001)
    with pytest.raises(HostilePdfError):
        inspect(ALICIA)
    wait_until_gone(nursery, before)
    monkeypatch.undo()
    monkeypatch.setattr(isolation, "nursery", nursery)
    assert inspect(ALICIA) == 1


def test_the_clock_runs_for_a_document_and_not_while_a_child_waits(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "WALL_SECONDS", 2)
    inspect(ALICIA)
    before = children(nursery)
    time.sleep(2.5)
    inspect(ALICIA)
    assert children(nursery) == before


def test_no_more_children_wait_than_may(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nurseries, "_MOST_KEPT", 2)
    for number in range(5):
        inspect(Person(f"user-{number}"))
    assert [owner for owner, _ in nursery._kept] == [
        isolation._kept_for("inspect", Person(f"user-{number}")) for number in (3, 4)
    ]
    wait_until_gone(nursery, set(sorted(children(nursery))[:-2]))


def test_documents_of_one_owner_at_once_have_a_child_each(nursery: Nursery) -> None:
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda _: inspect(ALICIA), range(9))) == [1] * 9
    assert 1 <= len(nursery._kept) <= 3
    assert len({channel.fileno() for _, channel in nursery._kept}) == len(nursery._kept)


def converse(monkeypatch: pytest.MonkeyPatch, *, idle: float) -> tuple[socket.socket, threading.Thread]:
    """A child's life in a thread, its limits left out: they would be this process's."""
    for name in ("_limit", "_limit_life"):
        monkeypatch.setattr(child, name, lambda _request: None)
    monkeypatch.setattr(child.signal, "setitimer", lambda *_: None)
    monkeypatch.setattr(child, "IDLE_SECONDS", idle)
    ours, theirs = socket.socketpair()

    def live() -> None:
        with theirs:
            child._live(theirs)

    thread = threading.Thread(target=live)
    thread.start()
    return ours, thread


def test_a_child_that_hears_nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, thread = converse(monkeypatch, idle=0.05)
    thread.join(60)
    assert not thread.is_alive()
    with pytest.raises(NoChildError):
        ask(ours, Request("inspect", 1, {}, []), patience=60)
    ours.close()


@pytest.mark.parametrize(("name", "value"), [("_MOST_REQUESTS", 2), ("_MOST_GROWN_KIB", None)])
def test_a_child_that_served_long_or_has_grown_leaves(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int | None
) -> None:
    monkeypatch.setitem(tasks.TASKS, "nothing", lambda _files, _arguments: {})
    if value is not None:
        monkeypatch.setattr(child, name, value)
    else:
        grown = iter([0, 1, child._MOST_GROWN_KIB])
        monkeypatch.setattr(child, "_grown", lambda: next(grown))
    ours, thread = converse(monkeypatch, idle=60)
    request = Request("nothing", 1, {}, [])
    stays = [ask(ours, request, patience=60)[1] for _ in range(2)]
    thread.join(60)
    assert stays == [True, False]
    assert not thread.is_alive()
    ours.close()


@pytest.mark.parametrize(
    "said", [b"\x01\x00\x00\x00\x09{}", b"\x01\xff\xff\xff\xff", b"\x01", b""], ids=["short", "long", "torn", "none"]
)
def test_an_answer_that_is_none_is_not_taken_for_one(said: bytes) -> None:
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs:
            assert listen(theirs) is not None
            theirs.sendall(said)

    thread = threading.Thread(target=answer)
    thread.start()
    with ours, pytest.raises(KilledError):
        ask(ours, Request("inspect", 1, {"a": "b" * 200_000}, []), patience=60)
    thread.join(60)


def test_the_processor_time_of_a_child_is_bounded_for_each_document(nursery: Nursery) -> None:
    for _ in range(3):
        inspect(ALICIA)
    (waiting,) = children(nursery)
    limits = Path(f"/proc/{waiting}/limits").read_text()
    soft, hard = limits.partition("Max cpu time")[2].split()[:2]
    assert int(soft) <= child.CPU_SECONDS + 1 < int(hard) <= 1000
    assert limits.partition("Max address space")[2].split()[:2] == [str(child.ADDRESS_SPACE_BYTES)] * 2
