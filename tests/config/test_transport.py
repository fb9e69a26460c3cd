"""A call from one role to another inside the process leaves the caller as it was."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connections, transaction
from django.utils import translation

from config import transport
from config.application import application
from config.transport import CalledInsideTransactionError, GuardedTransport, InProcessTransport

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def _get(way: httpx.BaseTransport, path: str = "/healthz") -> httpx.Response:
    with httpx.Client(transport=GuardedTransport(way), base_url="http://localhost:8000") as client:
        return client.get(path)


class Asking:
    """An application that uses a database as a view would, and remembers the connection it used."""

    def __init__(self) -> None:
        self.used: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
        self.used.append(connections["default"])
        start_response("200 OK", [])
        return [b"alive"]


def test_the_callers_connection_and_language_stay() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")
    before = connections["default"].connection
    with translation.override("fr"):
        assert _get(InProcessTransport(application)).json() == {"status": "alive"}
        assert translation.get_language() == "fr"
    assert connections["default"].connection is before


def test_no_call_is_made_inside_a_transaction() -> None:
    asked = Asking()
    with transaction.atomic(), pytest.raises(CalledInsideTransactionError):
        _get(InProcessTransport(asked))
    assert asked.used == []


def test_a_call_runs_on_a_connection_of_its_own_and_keeps_it_where_that_is_free() -> None:
    asked = Asking()
    _get(InProcessTransport(asked))
    assert asked.used[0] is not connections["default"]
    assert asked.used[0].connection is not None


def test_a_few_threads_keep_a_servers_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 600)
    monkeypatch.setattr(transport, "_keepers", set())
    monkeypatch.setattr(transport, "_MOST_KEEPERS", 1)
    barrier, asked = threading.Barrier(2), Asking()

    def together(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        barrier.wait(10)  # so that neither thread serves both
        return asked(environ, start_response)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: _get(InProcessTransport(together)), range(2)))
    assert sorted(used.connection is None for used in asked.used) == [False, True]


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_gives_a_servers_connection_back(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 600)
    monkeypatch.setattr(transport, "_keepers", set())
    monkeypatch.setattr(transport, "_MOST_KEEPERS", 0)
    asked = Asking()

    def failing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked(environ, start_response)
        raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            _get(InProcessTransport(failing))
    else:
        assert _get(InProcessTransport(asked)).content == b"alive"
    assert asked.used[0].connection is None
