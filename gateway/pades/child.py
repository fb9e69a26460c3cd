"""``python -m gateway.pades.child FD``: forks a process for each document of a stranger's, and never reads one itself
(what it warms up with is its own).

Requests come over the socket ``FD`` (`nursery`): a task's name, its seconds, a socket for arguments and answer (JSON
both), and the documents as open files. A child sets its limits before it reads anything; its environment holds no
secret, and it has no network where the kernel lets us take it away. Its answer is ``{"value": …}`` or
``{"error": code}``.
"""

import ctypes
import errno
import gc
import json
import logging
import math
import os
import resource
import signal
import socket
import sys
from contextlib import ExitStack
from typing import IO, Any

from pyhanko.pdf_utils.misc import PdfDecodeLimitError

from gateway.errors import (
    DamagedPdfError,
    GatewayError,
    HostilePdfError,
    InvalidSignatureError,
    LevelError,
    StorageFullError,
    TrustedListMalformedError,
)
from gateway.pades import tasks
from gateway.pades.nursery import STARTED
from gateway.pades.warming import warm_up

ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
LARGE_DOCUMENT_BYTES = 100_000_000
CPU_SECONDS = 10
# A large country's list has some megabytes of XML.
_CPU_SECONDS_OF = {"read_trusted_list": 60}
_MOST_FILES = 8
_NEW_USER_NAMESPACE, _NEW_NETWORK_NAMESPACE = 0x10000000, 0x40000000


def _limit(task: str, seconds: float, descriptors: list[int]) -> None:
    """Memory, processor time, files; and by the clock, whatever the child is busy with: SIGALRM kills it.

    Of a document that is large itself, what is beyond that may be in memory too.
    """
    largest = max((os.fstat(number).st_size for number in descriptors), default=0)
    memory = ADDRESS_SPACE_BYTES + max(0, largest - LARGE_DOCUMENT_BYTES)
    processor = _CPU_SECONDS_OF.get(task, max(CPU_SECONDS, math.ceil(seconds)))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (processor, processor))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _run(task: str, descriptors: list[int], arguments: dict[str, Any]) -> dict[str, Any]:
    """The task's answer. On hostile input pyHanko raises nearly anything; each of it becomes a typed refusal."""
    run = tasks.TASKS[task]
    try:
        with ExitStack() as stack:
            files: list[IO[bytes]] = [stack.enter_context(os.fdopen(number, "r+b")) for number in descriptors]
            value = run(files, arguments)
        return {"value": value}
    except GatewayError as error:
        return {"error": error.code, **({"below": error.below} if isinstance(error, LevelError) else {})}
    except (RecursionError, MemoryError, PdfDecodeLimitError):
        return {"error": HostilePdfError.code}
    except Exception as error:  # noqa: BLE001  (AssertionError, KeyError, zlib.error…: all mean the same)
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return {"error": StorageFullError.code}
        refusal = {"verify": InvalidSignatureError.code, "read_trusted_list": TrustedListMalformedError.code}
        # The kind alone: a message may quote the document.
        return {"error": refusal.get(task, DamagedPdfError.code), "because": type(error).__name__}


def _serve(task: str, seconds: float, channel: socket.socket, descriptors: list[int]) -> None:
    """The life of a child."""
    channel.sendall(STARTED)
    _limit(task, seconds, descriptors)
    try:
        with channel.makefile("rb") as asked:
            arguments = json.load(asked)
        answer = _run(task, descriptors, arguments)
    except Exception as error:  # noqa: BLE001  (outside the net: a fault of ours is not the document's)
        answer = {"error": GatewayError.code, "because": type(error).__name__}
    channel.sendall(json.dumps(answer).encode())


def _leave_the_network() -> None:
    """Root may, others may in a user namespace, and a container may forbid either: then the child asks for nothing of
    itself still, as no code of ours in it does."""
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(_NEW_NETWORK_NAMESPACE) != 0:
        unshare(_NEW_USER_NAMESPACE | _NEW_NETWORK_NAMESPACE)


def main() -> None:
    """Until nobody asks any more."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # pyHanko's warnings quote the document.
    logging.getLogger().addHandler(logging.NullHandler())
    _leave_the_network()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warm_up()
    gc.freeze()
    while True:
        message, (*descriptors,), _, _ = socket.recv_fds(requests, 256, _MOST_FILES)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            task, seconds = message.decode().split()
            try:
                _serve(task, float(seconds), socket.socket(fileno=descriptors[0]), descriptors[1:])
            finally:
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    main()
