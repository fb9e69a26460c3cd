"""``python -m gateway.pades.child FD``: forks a process for each child that it is asked for over the socket ``FD``
(`nursery`), and never reads a document itself (what it warms up with is its own).

A child hears requests over a socket of its own (`conversation`), which may be several, for documents of one owner. It
sets its limits before it reads anything; its environment holds no secret, and it has no network where the kernel lets
us take it away. Its answer is ``{"value": …}`` or ``{"error": code}``. It leaves when it has refused a document, has
grown, has served long or hears nothing for a while.
"""

import ctypes
import errno
import fcntl
import gc
import logging
import math
import os
import resource
import signal
import socket
import sys
import time
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
from gateway.pades.conversation import LARGE_DOCUMENT_BYTES, Request, answer, largest, listen
from gateway.pades.warming import warm_up

ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 10
# A large country's list has some megabytes of XML.
_CPU_SECONDS_OF = {"read_trusted_list": 60}
# A child that stays: for so long without a request, so many of them, so much processor time and memory more than at
# first. Whoever it served last may be served by a fresh one as well.
IDLE_SECONDS = 10
_MOST_REQUESTS = 500
_LIFELONG_CPU_SECONDS = 300
_MOST_GROWN_KIB = 64 * 1024
_NEW_USER_NAMESPACE, _NEW_NETWORK_NAMESPACE = 0x10000000, 0x40000000


def _limit_life(request: Request) -> None:
    """Memory and files, which no request changes: one whose documents are large is the only one of its child, and what
    is beyond that size may be in memory too."""
    memory = ADDRESS_SPACE_BYTES + max(0, largest(request.descriptors) - LARGE_DOCUMENT_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    most = _LIFELONG_CPU_SECONDS + math.ceil(request.seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _limit(request: Request) -> None:
    """Of one request: processor time; and by the clock, whatever the child is busy with: SIGALRM kills it."""
    allowed = _CPU_SECONDS_OF.get(request.task, max(CPU_SECONDS, math.ceil(request.seconds)))
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(most, math.ceil(time.process_time()) + allowed), most))
    signal.setitimer(signal.ITIMER_REAL, request.seconds)


def _run(request: Request) -> dict[str, Any]:
    """The task's answer. On hostile input pyHanko raises nearly anything; each of it becomes a typed refusal."""
    run = tasks.TASKS[request.task]
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(_open(number)) for number in request.descriptors]
            value = run(files, request.arguments)
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
        return {"error": refusal.get(request.task, DamagedPdfError.code), "because": type(error).__name__}


def _open(descriptor: int) -> IO[bytes]:
    reads_only = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    return os.fdopen(descriptor, "rb" if reads_only else "r+b")


def _live(channel: socket.socket) -> None:
    """From the first request to the last."""
    began = _grown()
    channel.settimeout(IDLE_SECONDS)
    for number in range(1, _MOST_REQUESTS + 1):
        request = listen(channel)
        if request is None:
            return
        if number == 1:
            _limit_life(request)
        _limit(request)
        said = _serve(request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        stays = number < _MOST_REQUESTS and "value" in said and _grown() - began < _MOST_GROWN_KIB
        answer(channel, said, stays=stays)
        if not stays:
            return


def _serve(request: Request) -> dict[str, Any]:
    try:
        return _run(request)
    except Exception as error:  # noqa: BLE001  (outside the net: a fault of ours is not the document's)
        return {"error": GatewayError.code, "because": type(error).__name__}
    finally:
        # What made the library's warnings refusals (`reading`) was for this document.
        logging.getLogger("pyhanko").handlers.clear()


def _grown() -> int:
    """The most memory that it held at once, KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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
        message, (*descriptors,), _, _ = socket.recv_fds(requests, 16, 1)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            try:
                _live(socket.socket(fileno=descriptors[0]))
            finally:
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    main()
