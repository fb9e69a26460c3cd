"""A Postman collection (format 2.1.0) of the described methods, one request each with every required member.

Postman's variables hold what differs from one user to another: ``baseUrl``, ``token``, ``credentialID``, ``SAD``.
"""

import json
from typing import Any

_VARIABLES = ("token", "credentialID", "SAD", "user", "password")


def write_collection(document: dict[str, Any]) -> dict[str, Any]:
    """From an OpenAPI description that `build_document` made."""
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "variable": [
            {"key": "baseUrl", "value": document["servers"][0]["url"]},
            *({"key": name, "value": ""} for name in _VARIABLES),
        ],
        "item": [_item(path, methods["post"]) for path, methods in document["paths"].items()],
    }


def _item(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return {
        "name": path[1:],
        "request": {
            "method": "POST",
            "description": f"{operation['summary']}. {operation['description']}",
            "auth": _auth(operation),
            "header": [{"key": "Content-Type", "value": "application/json"}],
            "url": {"raw": f"{{{{baseUrl}}}}{path}", "host": ["{{baseUrl}}"], "path": path[1:].split("/")},
            "body": {
                "mode": "raw",
                "raw": json.dumps(_example(schema), indent=2),
                "options": {"raw": {"language": "json"}},
            },
        },
    }


def _auth(operation: dict[str, Any]) -> dict[str, Any]:
    ways = operation.get("security", [])
    if not ways:
        return {"type": "noauth"}
    if "password" in ways[0]:
        pair = (("username", "{{user}}"), ("password", "{{password}}"))
        return {"type": "basic", "basic": [{"key": key, "value": value} for key, value in pair]}
    return {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]}


def _example(schema: dict[str, Any], name: str = "") -> Any:
    """The required members, each with a value of its type."""
    if name in _VARIABLES:
        return f"{{{{{name}}}}}"
    if "examples" in schema:
        return schema["examples"][0]
    match schema["type"]:
        case "object":
            members = schema["properties"]
            return {member: _example(members[member], member) for member in schema.get("required", [])}
        case "array":
            return [_example(schema["items"])]
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return False
    return ""
