"""One row asked, one result."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from tests.conformance.rows import Answer, Row, Version
from tests.conformance.shapes import CHECKS, ShapeError, verify_signature
from tests.conformance.tables import METHODS, ROWS, not_built
from tests.conformance.target import NotTried, Prepared, Target

Verdict = Literal["passed", "failed", "not tried"]


@dataclass(frozen=True)
class Result:
    row: Row
    version: Version
    verdict: Verdict
    remark: str = ""


def rows_for(target: Target) -> Iterator[Row]:
    """Every row of this version's methods that ``info`` lists, and one row for each method that it does not."""
    for row in ROWS:
        if target.version in row.versions and row.method in target.methods:
            yield row
    for method in METHODS[target.version]:
        if method not in target.methods:
            yield not_built(method, target.version)


def try_row(target: Target, row: Row) -> Result:
    """Prepares, asks and judges. Only the server's answer makes a row fail."""
    try:
        prepared = target.prepare(row) if row.answer.status != 501 else Prepared({})
        authorization = target.authorization(row.authorization)
        body = row.change(prepared.body, target.version)
    except NotTried as why:
        return Result(row, target.version, "not tried", str(why))
    try:
        answer = target.post(row.method, body, authorization)
        judge(target, row.answer, prepared, answer)
    except (ShapeError, httpx.HTTPError) as wrong:
        return Result(row, target.version, "failed", str(wrong) or type(wrong).__name__)
    return Result(row, target.version, "passed")


def judge(target: Target, wanted: Answer, prepared: Prepared, answer: httpx.Response) -> None:
    """Raises `ShapeError` with a sentence."""
    told = _read(answer)
    if answer.status_code not in {wanted.status, wanted.or_status}:
        raise ShapeError(f"answered {answer.status_code} instead of {wanted.status}: {answer.text[:200]}")
    if wanted.status == 204:
        if answer.content:
            raise ShapeError("204 has no body")
        return
    if wanted.error is not None and told.get("error") != wanted.error:
        raise ShapeError(f"error is {told.get('error')!r} instead of {wanted.error!r}")
    sentence = wanted.sentence(target.version)
    description = told.get("error_description")
    if isinstance(sentence, str) and description != sentence:
        raise ShapeError(f"error_description is {description!r} instead of {sentence!r}")
    if callable(sentence) and not (isinstance(description, str) and sentence(description)):
        raise ShapeError(f"error_description is {description!r}")
    if wanted.shape is not None:
        _check(target, wanted.shape, prepared, told)


def _check(target: Target, shape: str, prepared: Prepared, told: dict[str, Any]) -> None:
    try:
        CHECKS[shape](told, target.version)
    except ShapeError:
        raise
    except Exception as wrong:
        # Whatever a stranger's answer makes a parser say: it is the answer that is wrong.
        raise ShapeError(f"{type(wrong).__name__}: {wrong}") from wrong
    if shape == "signatures" and prepared.digest is not None:
        certificate = target.certificate_of(prepared.credential)
        verify_signature(certificate, prepared.digest, base64.b64decode(told["signatures"][0]))


def _read(answer: httpx.Response) -> dict[str, Any]:
    """Every answer with a body is a JSON object (10.1), errors above all."""
    if answer.status_code == 204:
        return {}
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        raise ShapeError(f"{answer.status_code} with the media type {answer.headers.get('Content-Type')!r}")
    try:
        told = json.loads(answer.content)
    except ValueError:
        raise ShapeError(f"{answer.status_code} with a body that is no JSON") from None
    if not isinstance(told, dict):
        raise ShapeError(f"{answer.status_code} with a body that is no JSON object")
    return told
