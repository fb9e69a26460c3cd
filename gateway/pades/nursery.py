"""The process that `child` is forked from: it has read our own modules, and never a document.

Reading them takes a third of a second, a document often a hundredth. So each process of ours that deals with documents
keeps one such process, asks it over a socket for a child a task, and talks to that child alone.
"""

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
STARTED = b"+"
_ROOT = Path(__file__).resolve().parent.parent.parent
_LONGEST_ANSWER = 64 * 1024 * 1024
# Beyond the child's own limit, which ends it: for a machine that is busy.
_PATIENCE = 20


class NoChildError(Exception):
    """No child was there to begin the task."""


class KilledError(Exception):
    """The child ended without an answer: one of its limits, or a fault of a library."""


class Nursery:
    """One process of ours has one, made at its first use; a process that was forked makes its own."""

    def __init__(self, module: str = "gateway.pades.child") -> None:
        self._module = module
        self._lock = threading.Lock()
        self._pid = 0
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *, task: str, descriptors: Sequence[int], arguments: bytes, seconds: float) -> bytes:
        """The child's answer to ``arguments``. Raises `KilledError` if it gave none in ``seconds``, `NoChildError`."""
        for _ in range(2):
            ours, theirs = socket.socketpair()
            with ours:
                try:
                    with theirs:
                        message = f"{task} {seconds}".encode()
                        socket.send_fds(self._connect(), [message], [theirs.fileno(), *descriptors])
                    return _converse(ours, arguments, seconds)
                except (NoChildError, BrokenPipeError, ConnectionResetError):
                    log.warning("the process that children are forked from is gone; another one is started")
                    self.close()
        raise NoChildError

    def _connect(self) -> socket.socket:
        with self._lock:
            if self._pid != os.getpid() or self._socket is None:
                self._start()
            assert self._socket is not None  # noqa: S101  (just made; tells the type checker)
            return self._socket

    def _start(self) -> None:
        if self._socket is not None:
            self._socket.close()  # of the process that we were forked from
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", self._module, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                env=ENVIRONMENT,
            )
        self._socket, self._pid = ours, os.getpid()

    def close(self) -> None:
        """Its children end their tasks, and nobody is left."""
        with self._lock:
            if self._pid != os.getpid() or self._socket is None or self._process is None:
                return
            self._socket.close()
            self._socket = None
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)


def _converse(ours: socket.socket, arguments: bytes, seconds: float) -> bytes:
    ours.settimeout(seconds + _PATIENCE)
    try:
        if ours.recv(1) != STARTED:
            raise NoChildError
        ours.sendall(arguments)
        ours.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while chunk := ours.recv(65536):
            answer += chunk
            if len(answer) > _LONGEST_ANSWER:
                raise KilledError
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        raise KilledError from None
    if not answer:
        raise KilledError
    return bytes(answer)


nursery = Nursery()
atexit.register(nursery.close)
