"""``python -m gateway.pades.child TASK FD…``: the process in which a stranger's PDF is parsed.

Its limits are set before pyHanko is imported; its environment holds no secret. Arguments arrive as JSON on standard
input, the answer leaves as JSON on standard output: ``{"value": …}`` or ``{"error": code}``. Documents are
inherited file descriptors.
"""

import errno
import json
import logging
import os
import resource
import sys
from contextlib import ExitStack
from typing import IO, Any

ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 10
# A large country's list has some megabytes of XML.
_CPU_SECONDS_OF = {"read_trusted_list": 60}


def _limit(task: str) -> None:
    seconds = _CPU_SECONDS_OF.get(task, CPU_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _run(task: str, descriptors: list[int], arguments: dict[str, Any]) -> dict[str, Any]:
    """The task's answer. On hostile input pyHanko raises nearly anything; each of it becomes a typed refusal.

    The imports stand outside the net, so that a fault of ours is not taken for the document's.
    """
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
        # The kind alone: a message may quote the document.
        sys.stderr.write(f"{task}: {type(error).__name__}")
        refusal = {"verify": InvalidSignatureError.code, "read_trusted_list": TrustedListMalformedError.code}
        return {"error": refusal.get(task, DamagedPdfError.code)}


def main() -> None:
    _limit(sys.argv[1])
    # pyHanko's warnings quote the document.
    logging.getLogger().addHandler(logging.NullHandler())
    arguments = json.load(sys.stdin)
    answer = _run(sys.argv[1], [int(number) for number in sys.argv[2:]], arguments)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
