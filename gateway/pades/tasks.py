"""What the child process can be asked, each from open files and JSON values to a JSON value."""

import base64
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from gateway.pades.inspect import inspect_document
from gateway.pades.prepare import prepare_document
from gateway.pades.values import prepared_to_json, request_from_json, trusted_list_to_json
from gateway.pades.verify import verify_document


def _inspect(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    return asdict(inspect_document(files[0], max_pages=arguments["max_pages"]))


def _prepare(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    return prepared_to_json(prepare_document(files[0], files[1], request_from_json(arguments["request"])))


def _verify(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    chain, anchors = ([base64.b64decode(item) for item in arguments.pop(name)] for name in ("chain", "anchors"))
    return asdict(verify_document(files[0], chain=chain, anchors=anchors, **arguments))


def _read_trusted_list(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    # Its libraries take longer to import than a document to inspect.
    from gateway.pades.trusted_list import read_trusted_list

    signers = [base64.b64decode(item) for item in arguments["signers"]]
    now = datetime.fromisoformat(arguments["now"])
    return trusted_list_to_json(read_trusted_list(files[0].read(), signers=signers, now=now))


TASKS: dict[str, Callable[[list[IO[bytes]], dict[str, Any]], dict[str, Any]]] = {
    "inspect": _inspect,
    "prepare": _prepare,
    "verify": _verify,
    "read_trusted_list": _read_trusted_list,
}
