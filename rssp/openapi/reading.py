"""A description as a page shows it: operations with their members as rows, nested ones by their path."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Member:
    """One row: ``name`` is a path such as ``key.algo[]``; ``kind`` is its type in words."""

    name: str
    kind: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Answer:
    status: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Operation:
    name: str
    anchor: str
    summary: str
    description: str
    authorisation: str
    request: tuple[Member, ...]
    answers: tuple[Answer, ...]


_AUTHORISATION = {
    (): "none",
    ("service",): "Bearer token of scope service",
    ("service", "credential"): "Bearer token of scope service or credential",
    ("credential-creation",): "Bearer token of scope credential-creation",
    ("credential-deletion",): "Bearer token of scope credential-deletion",
    ("passkey-binding",): "Bearer token of scope passkey-binding",
    ("password",): "Basic: user name and password",
}


def read_operations(document: dict[str, Any]) -> list[Operation]:
    return [_read(path, methods["post"]) for path, methods in document["paths"].items()]


def _read(path: str, operation: dict[str, Any]) -> Operation:
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    answers = [
        Answer(status, tuple(_members(answer["content"]["application/json"]["schema"]) if "content" in answer else ()))
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    return Operation(
        name=path[1:],
        anchor=operation["operationId"],
        summary=operation["summary"],
        description=operation["description"],
        authorisation=_AUTHORISATION[_scopes(operation)],
        request=tuple(_members(request)),
        answers=tuple(answers),
    )


def _scopes(operation: dict[str, Any]) -> tuple[str, ...]:
    ways = operation.get("security", [])
    if any("password" in way for way in ways):
        return ("password",)
    return tuple(scope for way in ways for scope in way.get("oauth2", ()))


def _members(schema: dict[str, Any], prefix: str = "") -> Iterator[Member]:
    if "oneOf" in schema:
        for choice in schema["oneOf"]:
            yield from _members(choice, prefix)
        return
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield Member(path, _kind(member), name in required, member.get("description", ""))
        inner, mark = (member["items"], "[]") if member["type"] == "array" else (member, "")
        if inner.get("type") == "object":
            yield from _members(inner, f"{path}{mark}.")


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if schema["type"] == "array":
        return f"array of {_kind(schema['items'])}"
    if isinstance(schema["type"], list):
        return " or ".join(schema["type"])
    if schema.get("contentEncoding") == "base64":
        return "base64 string"
    return str(schema["type"])
