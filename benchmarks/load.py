"""A light load: threads with one kept connection each, over bare sockets, so that little of the machine is theirs."""

import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Connection:
    """HTTP/1.1 to 127.0.0.1, kept alive; JSON objects there and back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def post(self, path: str, authorization: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer's object; raises `RuntimeError` unless it is 200."""
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{self._port}\r\nAuthorization: {authorization}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(head.encode() + content)
        answer, told = self._read_answer(self._socket)
        if not answer.startswith("HTTP/1.1 200"):
            raise RuntimeError(f"{answer.partition(chr(13))[0]}: {told!r}")
        if "connection: close" in answer.lower():
            self._socket.close()
            self._socket = None
        found: dict[str, Any] = json.loads(told)
        return found

    def _read_answer(self, connected: socket.socket) -> tuple[str, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more(connected)
        head, _, body = received.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode("latin-1").lower().split("\r\n")[1:])
        while len(body) < int(lines["content-length"]):
            body += self._more(connected)
        return head.decode("latin-1"), body

    def _more(self, connected: socket.socket) -> bytes:
        received = connected.recv(65536)
        if not received:
            raise RuntimeError("the connection ended before the answer did")
        return received


@dataclass(frozen=True)
class Rate:
    """``signatures`` a second, ``median`` of the calls' seconds, the load's own seconds of ``processor`` time for each
    signature, and how many were ``done``."""

    signatures: float
    median: float
    processor: float
    done: int


def at_once(call: Callable[[Connection], int], *, port: int, threads: int, seconds: float) -> Rate:
    """Calls by ``threads`` until the time is over, or a call gives none. Before that, each warms the server up once."""
    together = threading.Barrier(threads)
    times: list[float] = []

    def run(_number: int) -> tuple[int, float, float]:
        connection, done = Connection(port), 0
        try:
            for _ in range(2):
                call(connection)
        except BaseException:
            together.abort()  # the others wait for nobody
            raise
        together.wait()
        began = ended = time.perf_counter()
        while ended - began < seconds:
            before = time.perf_counter()
            given = call(connection)
            if not given:
                break
            ended = time.perf_counter()
            times.append(ended - before)
            done += given
        return done, began, ended

    own = time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(run, range(threads)))
    own = time.process_time() - own
    began, ended = min(result[1] for result in results), max(result[2] for result in results)
    done = sum(result[0] for result in results)
    return Rate(done / (ended - began), statistics.median(times), own / done, done)


def processor_time(group: int) -> float:
    """Seconds of processor time that the living processes of a group have taken."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
