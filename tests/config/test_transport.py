"""A call from one role to another inside the process leaves the caller as it was."""

from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from django.db import connections, transaction
from django.utils import translation

from config.transport import CalledInsideTransactionError, GuardedTransport, InProcessTransport
from config.wsgi import application

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def _get(transport: httpx.BaseTransport, path: str = "/healthz") -> httpx.Response:
    with httpx.Client(transport=GuardedTransport(transport), base_url="http://localhost:8000") as client:
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


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_gives_a_servers_connection_back(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 600)
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
