"""A description as a page shows it: operations with their members as rows, nested ones by their path."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rssp.openapi.schemas import Schema


@dataclass(frozen=True)
class Member:
    """One row: ``name`` is a path such as ``key.algo[]``; ``kind`` is its type in words."""

    name: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Answer:
    """``shape`` is the name of a component that has its members, where it is one."""

    status: str
    members: tuple[Member, ...]
    shape: str = ""


@dataclass(frozen=True)
class Shape:
    """An object that several operations answer."""

    name: str
    anchor: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Operation:
    """``name`` is the path without its first slash; ``request`` is None where there is no body."""

    method: str
    name: str
    anchor: str
    summary: str
    description: str
    authorisation: str
    query: tuple[Member, ...]
    headers: tuple[Member, ...]
    request: tuple[Member, ...] | None
    answers: tuple[Answer, ...]


_AUTHORISATION = {
    (): "none",
    ("service",): "Bearer token of scope service",
    ("service", "credential"): "Bearer token of scope service or credential",
    ("credential-creation",): "Bearer token of scope credential-creation",
    ("credential-deletion",): "Bearer token of scope credential-deletion",
    ("passkey-binding",): "Bearer token of scope passkey-binding",
    ("operator",): "Token of scope operator",
    ("password",): "Basic: user name and password",
}


def read_operations(document: dict[str, Any]) -> list[Operation]:
    return [
        _read(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def read_shapes(document: dict[str, Any]) -> list[Shape]:
    """The components but for ``Error``, which every operation has."""
    return [
        Shape(name, f"shape-{name}", tuple(_members(schema)))
        for name, schema in document["components"]["schemas"].items()
        if name != "Error"
    ]


def _read(method: str, path: str, operation: dict[str, Any]) -> Operation:
    body = operation.get("requestBody")
    return Operation(
        method=method,
        name=path[1:],
        anchor=operation["operationId"],
        summary=operation["summary"],
        description=operation["description"],
        authorisation=_AUTHORISATION[_scopes(operation)],
        query=_parameters(operation, "query"),
        headers=_parameters(operation, "header"),
        request=None if body is None else tuple(_members(_schema(body))),
        answers=tuple(
            _answer(status, answer) for status, answer in operation["responses"].items() if status.startswith("2")
        ),
    )


def _answer(status: str, answer: dict[str, Any]) -> Answer:
    if "content" not in answer:
        return Answer(status, ())
    schema = _schema(answer)
    if "$ref" in schema:
        return Answer(status, (), schema["$ref"].rsplit("/", 1)[-1])
    return Answer(status, tuple(_members(schema)))


def _schema(holder: dict[str, Any]) -> Schema:
    schema: Schema = holder["content"]["application/json"]["schema"]
    return schema


def _parameters(operation: dict[str, Any], where: str) -> tuple[Member, ...]:
    return tuple(
        Member(
            each["name"],
            _kind(each["schema"]),
            each.get("required", False),
            each.get("description", each["schema"].get("description", "")),
        )
        for each in operation.get("parameters", ())
        if each["in"] == where
    )


def _scopes(operation: dict[str, Any]) -> tuple[str, ...]:
    ways = operation.get("security", [])
    if any("password" in way for way in ways):
        return ("password",)
    return tuple(scope for way in ways for scope in way.get("oauth2", ()))


def _members(schema: Schema, prefix: str = "") -> Iterator[Member]:
    if "oneOf" in schema:
        for choice in schema["oneOf"]:
            yield from _members(choice, prefix)
        return
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield Member(path, _kind(member), name in required, member.get("description", ""))
        inner, mark = (member["items"], "[]") if member["type"] == "array" else (member, "")
        yield from _members(inner, f"{path}{mark}.")


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return " | ".join(str(value) or "empty" for value in schema["enum"])
    if isinstance(schema["type"], list):
        kind, *others = schema["type"]
        return " or ".join([_kind(schema | {"type": kind}), *others])
    if schema["type"] == "array":
        return f"array of {_kind(schema['items'])}"
    if schema.get("contentEncoding") == "base64":
        return "base64 string"
    return "time" if schema.get("format") == "date-time" else str(schema["type"])
