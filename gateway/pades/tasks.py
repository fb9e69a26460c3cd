"""What the child process can be asked, each from open files and JSON values to a JSON value."""

import base64
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from gateway.pades.archive import read_proofs, verify_archive
from gateway.pades.evidence import add_evidence
from gateway.pades.inspect import inspect_document
from gateway.pades.levels import Trust, decode, encode, evidence_from_json, place_to_json
from gateway.pades.prepare import prepare_document
from gateway.pades.raster import compare_pages
from gateway.pades.values import areas_from_json, request_from_json, reserved_to_json, trusted_list_to_json
from gateway.pades.verify import Expected, verify_document


def _inspect(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    return asdict(inspect_document(files[0], **arguments))


def _repair(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    # Few documents need it.
    from gateway.pades.repair import repair_document

    return {"changes": repair_document(files[0], files[1], password=arguments["password"])}


def _prepare(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    request = request_from_json(arguments["request"])
    return reserved_to_json(prepare_document(files[0], request, password=arguments["password"]))


def _compare_pages(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    areas, (which, of) = areas_from_json(arguments["areas"]), arguments["share"]
    compared = compare_pages(files[0], arguments["original_size"], areas, arguments["password"], (which, of))
    return {"compared": compared}


def _add_evidence(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    evidence = evidence_from_json(arguments["evidence"])
    place = add_evidence(files[0], evidence, timestamp=arguments["timestamp"], password=arguments["password"])
    return place_to_json(place)


def _read_proofs(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    proofs = read_proofs(files[0], password=arguments["password"])
    return {"signatures": proofs.signatures, "leaves": encode(proofs.leaves), "known": encode(proofs.known)}


def _verify_archive(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    trust = Trust(decode(arguments["anchors"]), decode(arguments["timestamp_anchors"]))
    former = {name: arguments[name] for name in ("size", "sha256", "password")}
    return asdict(verify_archive(files[0], trust=trust, **former))


def _verify(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    trust = Trust(decode(arguments["anchors"]), decode(arguments["timestamp_anchors"]))
    expected = Expected(**{**arguments["expected"], "chain": decode(arguments["expected"]["chain"])})
    return asdict(verify_document(files[0], expected=expected, trust=trust))


def _read_trusted_list(files: list[IO[bytes]], arguments: dict[str, Any]) -> dict[str, Any]:
    # Its libraries take longer to import than a document to inspect.
    from gateway.pades.trusted_list import read_trusted_list

    signers = [base64.b64decode(item) for item in arguments["signers"]]
    now = datetime.fromisoformat(arguments["now"])
    return trusted_list_to_json(read_trusted_list(files[0].read(), signers=signers, now=now))


TASKS: dict[str, Callable[[list[IO[bytes]], dict[str, Any]], dict[str, Any]]] = {
    "inspect": _inspect,
    "repair": _repair,
    "prepare": _prepare,
    "compare_pages": _compare_pages,
    "add_evidence": _add_evidence,
    "verify": _verify,
    "read_proofs": _read_proofs,
    "verify_archive": _verify_archive,
    "read_trusted_list": _read_trusted_list,
}
