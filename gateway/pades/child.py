"""``python -m gateway.pades.child TASK FD…``: the process in which a stranger's PDF is parsed.

Its limits are set before pyHanko is imported; its environment holds no secret. Arguments arrive as JSON on standard
input, the answer leaves as JSON on standard output: ``{"value": …}`` or ``{"error": code}``. Documents are
inherited file descriptors.
"""

import json
import os
import resource
import sys
from typing import Any

ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 10


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _run(task: str, descriptors: list[int], arguments: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from gateway.pades import values

    if task == "inspect":
        from gateway.pades.inspect import inspect_document

        with os.fdopen(descriptors[0], "rb") as document:
            return asdict(inspect_document(document, max_pages=arguments["max_pages"]))
    if task == "prepare":
        from gateway.pades.prepare import prepare_document

        with os.fdopen(descriptors[0], "rb") as document, os.fdopen(descriptors[1], "w+b") as output:
            request = values.request_from_json(arguments["request"])
            return values.prepared_to_json(prepare_document(document, output, request))
    if task == "verify":
        import base64

        from gateway.pades.verify import verify_document

        chain, anchors = ([base64.b64decode(item) for item in arguments.pop(key)] for key in ("chain", "anchors"))
        with os.fdopen(descriptors[0], "rb") as document:
            return asdict(verify_document(document, chain=chain, anchors=anchors, **arguments))
    raise ValueError(task)


def _answer(task: str, descriptors: list[int], arguments: dict[str, Any]) -> dict[str, Any]:
    """The task's value, or the code of a typed refusal: on hostile input pyHanko raises nearly anything."""
    from pyhanko.pdf_utils.misc import PdfDecodeLimitError

    from gateway.errors import GatewayError, HostilePdfError, InvalidSignatureError

    try:
        return {"value": _run(task, descriptors, arguments)}
    except GatewayError as error:
        return {"error": error.code}
    except (RecursionError, MemoryError, PdfDecodeLimitError):
        return {"error": HostilePdfError.code}
    except Exception as error:  # noqa: BLE001  (AssertionError, KeyError, zlib.error…: all mean the same)
        # The kind alone: a message may quote the document.
        print(f"{task}: {type(error).__name__}", file=sys.stderr)  # noqa: T201  (the parent logs it)
        return {"error": InvalidSignatureError.code if task == "verify" else "damaged_pdf"}


def main() -> None:
    _limit()
    arguments = json.load(sys.stdin)
    answer = _answer(sys.argv[1], [int(number) for number in sys.argv[2:]], arguments)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
