"""The process that `child` is forked from: it has read our own modules, and never a document.

Reading them takes a third of a second, a document often a hundredth. So each process of ours that deals with documents
keeps one such process, asks it over a socket for a child, and talks to that child alone. A child that has served an
owner's document well stays for a while, for documents of the same owner and for nobody else
(docs/decisions/0025-children-of-one-owner.md).
"""

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from gateway.pades.conversation import NoChildError, Request, ask

log = logging.getLogger(__name__)

# What a drawing frees is kept for the next one: asking the kernel for it again takes as long as a small picture.
_ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024), "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024)}
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **_ALLOCATION}
_ROOT = Path(__file__).resolve().parent.parent.parent
# Beyond the child's own limit, which ends it: for a machine that is busy.
_PATIENCE = 20
# Each holds some megabytes of its own.
_MOST_KEPT = 6


class Nursery:
    """One process of ours has one, made at its first use; a process that was forked makes its own."""

    def __init__(self, module: str = "gateway.pades.child") -> None:
        self._module = module
        self._lock = threading.Lock()
        self._pid = 0
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # Children that wait for more, by whom they are for, the one that has waited longest first.
        self._kept: list[tuple[str, socket.socket]] = []

    def run(self, request: Request, *, kept_for: str = "") -> bytes:
        """A child's answer. ``kept_for`` names whom the child may have served before, and may serve again; without it
        the child is for this request alone.

        Raises `KilledError` if it gave none in the request's seconds, `NoChildError`.
        """
        while kept_for and (child := self._take(kept_for)) is not None:
            with suppress(NoChildError):  # it has left
                return self._ask(child, request, kept_for)
        for _ in range(2):
            try:
                return self._ask(self._fork(), request, kept_for)
            except (NoChildError, BrokenPipeError, ConnectionResetError):
                log.warning("the process that children are forked from is gone; another one is started")
                self.close()
        raise NoChildError

    def _ask(self, child: socket.socket, request: Request, kept_for: str) -> bytes:
        stays = False
        try:
            answered, stays = ask(child, request, patience=request.seconds + _PATIENCE)
            return answered
        finally:
            if stays and kept_for:
                self._keep(child, kept_for)
            else:
                child.close()

    def _take(self, kept_for: str) -> socket.socket | None:
        """The child that came back last: the others may leave."""
        with self._lock:
            self._forget_another_process()
            for index in reversed(range(len(self._kept))):
                if self._kept[index][0] == kept_for:
                    return self._kept.pop(index)[1]
        return None

    def _keep(self, child: socket.socket, kept_for: str) -> None:
        with self._lock:
            self._kept.append((kept_for, child))
            left = self._kept.pop(0)[1] if len(self._kept) > _MOST_KEPT else None
        if left is not None:
            left.close()  # it ends when nobody is there to ask it

    def _fork(self) -> socket.socket:
        """A new child's socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._connect(), [b"."], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def _connect(self) -> socket.socket:
        with self._lock:
            self._forget_another_process()
            if self._socket is None:
                self._start()
            assert self._socket is not None  # noqa: S101  (just made; tells the type checker)
            return self._socket

    def _forget_another_process(self) -> None:
        """What is of the process that we were forked from stays its own."""
        if self._pid == os.getpid():
            return
        for each in (self._socket, *(child for _, child in self._kept)):
            if each is not None:
                each.close()
        self._socket, self._process, self._kept = None, None, []
        self._pid = os.getpid()

    def _start(self) -> None:
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
        self._socket = ours

    def close(self) -> None:
        """Its children end their tasks, and nobody is left."""
        with self._lock:
            self._forget_another_process()
            for _, child in self._kept:
                child.close()
            self._kept.clear()
            if self._socket is None or self._process is None:
                return
            self._socket.close()
            self._socket = None
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)


nursery = Nursery()
atexit.register(nursery.close)
