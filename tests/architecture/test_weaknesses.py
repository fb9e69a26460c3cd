"""The audit's real tools, pip-audit and npm, against a list of weaknesses that this test keeps."""

import gzip
import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from scripts import weaknesses
from tests.architecture.sources import ROOT

_NO_HASH = "0" * 64
_OSV = {
    "id": "PYSEC-0000-1",
    "affected": [
        {
            "package": {"name": "segno", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
        }
    ],
}


class _List(BaseHTTPRequestHandler):
    """OSV's query and npm's bulk advisories; ``known`` says which packages have a weakness, and how grave."""

    known: dict[str, str] = {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        told = self._osv(asked) if self.path == "/v1/query" else self._npm(asked)
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.send_error(404)

    def _osv(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"vulns": [_OSV]} if asked["package"]["name"] in self.known else {}

    def _npm(self, asked: dict[str, Any]) -> dict[str, Any]:
        told = {"id": 1, "url": "https://example.org/1", "title": "Weak", "vulnerable_versions": "<99"}
        return {name: [{**told, "severity": self.known[name]}] for name in asked if name in self.known}

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def asked() -> Iterator[tuple[str, type[_List]]]:
    handler = type("_OneList", (_List,), {"known": {}})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    lines = (f"{package} --hash=sha256:{_NO_HASH}\n" for package in ("segno==1.6.6", "redis==7.0.0"))
    path.write_text("".join(lines), encoding="ascii")
    return path


@pytest.fixture
def front_end(tmp_path: Path) -> Path:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("known", [{}, {"segno": "high"}], ids=["none", "one"])
def test_i8_a_known_weakness_of_a_python_package_is_found(
    asked: tuple[str, type[_List]], lock: Path, known: dict[str, str]
) -> None:
    origin, handler = asked
    handler.known = known
    answer = weaknesses.ask_about_python([lock], osv_url=f"{origin}/v1/query")
    assert answer.is_complete
    assert answer.packages == 2
    assert answer.weaknesses == (("segno 1.6.6: PYSEC-0000-1, mended in 9.9",) if known else ())


@pytest.mark.parametrize("severity", ["moderate", "high", "critical"])
def test_i8_a_grave_weakness_of_a_front_end_package_is_found(
    asked: tuple[str, type[_List]], front_end: Path, severity: str
) -> None:
    origin, handler = asked
    handler.known = {"htmx.org": severity}
    answer = weaknesses.ask_about_npm(front_end, origin)
    assert answer.is_complete
    assert answer.packages > 10
    assert answer.weaknesses == (() if severity == "moderate" else (f"htmx.org: {severity}, Weak",))


def test_i8_a_list_that_is_not_there_is_no_clean_answer(lock: Path, front_end: Path) -> None:
    nobody = "http://127.0.0.1:9"
    for answer in (weaknesses.ask_about_python([lock], osv_url=nobody), weaknesses.ask_about_npm(front_end, nobody)):
        assert not answer.is_complete
        assert answer.reason


def test_i8_a_package_that_the_list_does_not_know_is_named_as_not_asked() -> None:
    """As pip-audit tells it of an index that has no list: it ends as if nothing were known against any."""
    told = {"dependencies": [{"name": "segno", "skip_reason": "Dependency not found on PyPI"}], "fixes": []}
    answer = weaknesses.read_pip_audit(told)
    assert not answer.is_complete
    assert (answer.asked, answer.packages, answer.reason) == (0, 1, "the list does not know 1 of 1")


@pytest.mark.parametrize(
    ("answer", "required", "status"),
    [
        (weaknesses.Answer(2, 2), False, 0),
        (weaknesses.Answer(2, 2), True, 0),
        (weaknesses.Answer(2, 0, (), "nobody answers"), False, 0),
        (weaknesses.Answer(2, 0, (), "nobody answers"), True, 1),
        (weaknesses.Answer(2, 1, ("one",), "the list does not know 1"), False, 1),
    ],
)
def test_i8_the_check_fails_for_a_weakness_and_on_demand_for_silence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: weaknesses.Answer,
    required: bool,
    status: int,
) -> None:
    monkeypatch.setattr(weaknesses, "ask_about_python", lambda **_: answer)
    monkeypatch.setattr(weaknesses, "ask_about_npm", lambda: weaknesses.Answer(1, 1))
    monkeypatch.setenv("AUDIT_REQUIRED", "1" if required else "")
    assert weaknesses.main() == status
    assert ("NOT ASKED" in capsys.readouterr().out) is not answer.is_complete
