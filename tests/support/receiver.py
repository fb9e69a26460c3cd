"""A client's server in a process of its own: takes webhooks, writes down what it got, and misbehaves where asked to.

with receive(folder) as receiver: ...   # receiver.origin, receiver.got()

The path says what is answered: /ok, /slow, /drip, /huge, /redirect, /gone, /broken, or /later (503 twice, then 200).
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scripts.instance import ROOT


@dataclass(frozen=True)
class Receiver:
    origin: str
    log: Path

    def got(self, path: str = "") -> list[dict[str, Any]]:
        """Each request as ``path``, ``headers`` and ``body``, in their order."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        lines = text.rpartition("\n")[0].splitlines()  # the last one may be half written
        return [each for line in lines if path in {"", (each := json.loads(line))["path"]}]


@contextmanager
def receive(folder: Path) -> Iterator[Receiver]:
    log = folder / "received.jsonl"
    command = [sys.executable, "-m", "tests.support.receiver", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Receiver(f"http://127.0.0.1:{int(process.stdout.readline())}", log)
        finally:
            process.terminate()


class _Handler(BaseHTTPRequestHandler):
    log: Path
    seen: Counter[str] = Counter()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        told = {
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body,
        }
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(told) + "\n")
        self.seen[self.path] += 1
        kind = self.path.strip("/").partition("/")[0]
        getattr(self, f"_{kind}")()

    def do_GET(self) -> None:
        self.do_POST()

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _ok(self) -> None:
        self._answer(204)

    def _slow(self) -> None:
        time.sleep(30)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            for _ in range(300):
                self.wfile.write(b"x")
                time.sleep(0.1)

    def _huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            for _ in range(200):
                self.wfile.write(b"x" * 1024)

    def _redirect(self) -> None:
        self._answer(307, Location="/ok")

    def _gone(self) -> None:
        self._answer(410)

    def _broken(self) -> None:
        self._answer(500)

    def _later(self) -> None:
        self._answer(204 if self.seen[self.path] > 2 else 503)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


def _main() -> None:
    _Handler.log = Path(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        print(server.server_port, flush=True)  # noqa: T201  (read by whoever started this)
        server.serve_forever()


if __name__ == "__main__":
    _main()
