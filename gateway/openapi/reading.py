"""A description as a page shows it: operations with their members as rows, nested ones by their path."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.openapi.schemas import COMPONENTS, Schema


@dataclass(frozen=True)
class Member:
    """One row: ``name`` is a path such as ``document.pages``; ``kind`` is its type in words."""

    name: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Body:
    """A request's or an answer's; ``status`` of an answer alone, no ``media_type`` where there is no body, and the name
    of a ``shape`` where that has its members."""

    media_type: str
    members: tuple[Member, ...]
    status: str = ""
    shape: str = ""


@dataclass(frozen=True)
class Shape:
    """An object that several calls take or answer."""

    name: str
    anchor: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Operation:
    name: str
    anchor: str
    summary: str
    description: str
    headers: tuple[Member, ...]
    requests: tuple[Body, ...]
    answers: tuple[Body, ...]


def read_operations(document: dict[str, Any]) -> list[Operation]:
    return [
        _read(f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _read(name: str, operation: dict[str, Any]) -> Operation:
    headers = [each for each in operation.get("parameters", ()) if each["in"] == "header"]
    answers = [
        body
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        for body in _bodies(answer, status) or [Body("", (), status)]
    ]
    return Operation(
        name=name,
        anchor=operation["operationId"],
        summary=operation["summary"],
        description=operation.get("description", ""),
        headers=tuple(Member(each["name"], "string", False, each["description"]) for each in headers),
        requests=tuple(_bodies(operation.get("requestBody", {}))),
        answers=tuple(answers),
    )


def read_shapes() -> list[Shape]:
    return [Shape(name, f"shape-{name}", tuple(_members(schema))) for name, schema in COMPONENTS.items()]


def _bodies(holder: dict[str, Any], status: str = "") -> list[Body]:
    return [_body(media_type, content["schema"], status) for media_type, content in holder.get("content", {}).items()]


def _body(media_type: str, schema: Schema, status: str) -> Body:
    if "$ref" in schema:
        return Body(media_type, (), status, schema["$ref"].rsplit("/", 1)[-1])
    return Body(media_type, tuple(_members(schema)), status)


def _resolve(schema: Schema) -> Schema:
    """What it refers to, and of something that may be null the other thing."""
    if "anyOf" in schema:
        return _resolve(schema["anyOf"][0])
    return COMPONENTS[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def _members(schema: Schema, prefix: str = "") -> Iterator[Member]:
    schema = _resolve(schema)
    for choice in schema.get("oneOf", ()):
        yield from _members(choice, prefix)
    required = schema.get("required", ())
    for name, told in schema.get("properties", {}).items():
        member, path = _resolve(told), f"{prefix}{name}"
        yield Member(path, _kind(told), name in required, member.get("description", ""))
        is_array = "items" in member
        yield from _members(member["items"] if is_array else member, f"{path}{'[]' if is_array else ''}.")


def _kind(told: Schema) -> str:
    schema = _resolve(told)
    if "enum" in schema:
        kind = " | ".join(str(each) for each in schema["enum"] if each is not None)
    elif "const" in schema:
        kind = str(schema["const"])
    elif _type(schema) == "array":
        kind = f"array of {_kind(schema['items'])}"
    elif schema.get("contentEncoding") == "base64":
        kind = "base64 string"
    else:
        kind = {"uuid": "UUID", "date-time": "time", "uri": "address"}.get(schema.get("format", ""), _type(schema))
    return f"{kind} or null" if "anyOf" in told or "null" in schema.get("type", ()) else kind


def _type(schema: Schema) -> str:
    kind = schema["type"]
    return str(kind[0] if isinstance(kind, list) else kind)
