"""What strangers get into logs and out of faults (yardsticks I2 and I3), whatever the role."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from config.logs import LineFormatter
from scripts.instance import ROOT

_EVIL = "x\r\n2026-01-01 00:00:00,000 INFO rssp all is well\x1b[31m\u2028\u202e\x85\0"
_CANARY = "SELECT pin FROM /srv/secret/place"
_FILLED = {"uuid": "00000000-0000-0000-0000-000000000000", "int": "1"}


def _lines(text: str) -> list[str]:
    return text.splitlines()


def test_i2_no_words_of_a_stranger_begin_a_line_or_move_the_cursor() -> None:
    record = logging.LogRecord("rssp", logging.INFO, __file__, 1, "said %s", (_EVIL,), None)
    line = LineFormatter().format(record)
    assert len(_lines(line)) == 1
    assert line.isprintable()


def _fail() -> None:
    raise ValueError(_EVIL)


def test_i2_nor_do_those_in_an_exception() -> None:
    try:
        _fail()
    except ValueError:
        record = logging.LogRecord("rssp", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    _first, *others = _lines(LineFormatter().format(record))
    assert len(others) > 3
    assert all(line.startswith("    ") and line.isprintable() for line in others)


@pytest.mark.django_db  # for the page's name of the product
def test_i2_nor_do_those_in_an_address(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/x%0d%0aERROR%20all%1b%5b31m%e2%80%a8", HTTP_USER_AGENT=_EVIL.replace("\r\n", ""))
    assert caplog.records
    assert all(len(_lines(LineFormatter().format(record))) == 1 for record in caplog.records)


def _patterns(entries: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in entries:
        where = prefix + re.sub(r"<(?:(\w+):)?\w+>", lambda found: _FILLED.get(found[1], "x"), str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, where)
        elif "^" not in where and "(?P" not in where:
            yield where, entry


@pytest.mark.django_db(databases="__all__")
def test_i3_a_fault_on_any_address_says_its_reference_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_request: HttpRequest, **_parameters: Any) -> None:
        raise RuntimeError(_CANARY)

    browser, tried = Client(raise_request_exception=False), 0
    for path, pattern in _patterns(get_resolver().url_patterns):
        for mark in ("needs_no_browser", "csrf_exempt"):
            monkeypatch.setattr(fail, mark, getattr(pattern.callback, mark, False), raising=False)
        with monkeypatch.context() as patch:
            patch.setattr(pattern, "callback", fail)
            answer = browser.get(f"/{path}")
        assert answer.status_code == 500, path
        text = answer.content.decode()
        assert answer["X-Request-Id"] in text, path
        assert not re.search(r"SELECT|/srv/|RuntimeError|Traceback|\.py\b", text), path
        tried += 1
    assert tried > 150


def test_i3_outside_development_no_secret_has_a_default(tmp_path: Path) -> None:
    given = {"ENVIRONMENT": "production", "VAR_DIR": str(tmp_path), "BASE_URL": "https://sign.example.org"}
    asked: set[str | None] = set()
    while refusal := _refusal_of(given):
        found = re.search(
            r"ConfigurationError: (?:set (\w+) or \1_FILE; there is no default|(\w+) is not set)", refusal
        )
        assert found, refusal
        asked.add(found[1])
        name = found[1] or found[2]
        given[name] = "sqlite:///x" if name.startswith("DATABASE") else "given"
    assert {"SECRET_KEY", "GATEWAY_DOCUMENT_KEYS", "PKCS11_PIN", "SIGNAPP_CLIENT_SECRET"} <= asked
    assert not list(tmp_path.glob("secrets/*"))


def _refusal_of(given: dict[str, str]) -> str:
    """Why there are no settings."""
    command = [sys.executable, "-c", "import config.settings"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PATH": os.defpath, **given}, capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""
