"""What a thread does while its caller does something else (`gateway.beside`)."""

import threading
from contextvars import ContextVar

import pytest

from gateway.beside import LARGE, beside

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="")


def test_much_work_is_done_while_the_block_runs() -> None:
    begun = threading.Event()

    def work() -> threading.Thread:
        begun.set()
        return threading.current_thread()

    with beside(work, size=LARGE) as result:
        assert begun.wait(60)
        assert result() is not threading.current_thread()


def test_little_work_is_done_when_it_is_asked_for_and_not_before() -> None:
    done: list[str] = []
    with beside(lambda: done.append("work"), size=LARGE - 1) as result:
        done.append("block")
        result()
    assert done == ["block", "work"]


def test_what_nobody_asks_for_is_over_when_the_block_is() -> None:
    done = []
    with beside(lambda: done.append("work"), size=LARGE):
        pass
    assert done == ["work"]


@pytest.mark.parametrize("size", [0, LARGE])
def test_what_the_work_raises_is_raised_where_it_is_asked_for(size: int) -> None:
    def work() -> None:
        raise OSError("no disk")

    with beside(work, size=size) as result, pytest.raises(OSError, match="no disk"):
        result()


@pytest.mark.parametrize("size", [0, LARGE])
def test_what_the_block_raises_is_not_hidden_by_what_the_work_raises(size: int) -> None:
    def work() -> None:
        raise OSError("no disk")

    with pytest.raises(KeyError), beside(work, size=size):
        raise KeyError


def test_it_knows_which_request_it_works_for() -> None:
    token = REQUEST.set("4711")
    try:
        with beside(REQUEST.get, size=LARGE) as result:
            assert result() == "4711"
    finally:
        REQUEST.reset(token)


def test_where_no_thread_can_be_started_it_is_done_by_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with beside(threading.current_thread, size=LARGE) as result:
        assert result() is threading.current_thread()
