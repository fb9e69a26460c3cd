"""What descriptions say of answers, whichever API's they are."""

from collections.abc import Mapping
from typing import Any

from rssp.openapi.schemas import Schema


def describe_successes(answers: Mapping[int, Schema]) -> dict[str, Any]:
    """By status; an empty schema is no body at all."""
    return {
        str(status): {"description": "Success"} | ({"content": _content(schema)} if schema else {})
        for status, schema in answers.items()
    }


def describe_refusals(sentences: Mapping[int, str]) -> dict[str, Any]:
    """By status; each with the component ``Error`` as its body."""
    answers: dict[str, Any] = {
        str(status): {"description": sentence, "content": _content({"$ref": "#/components/schemas/Error"})}
        for status, sentence in sentences.items()
    }
    for status in ("429", "503"):
        answers[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return answers


def _content(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
