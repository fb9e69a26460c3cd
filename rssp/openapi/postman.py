"""A Postman collection (format 2.1.0) of the described operations, one request each with every required member.

Postman's variables hold what differs from one user to another: ``baseUrl``, ``token``, ``credentialID``, ``SAD`` and
what stands in paths.
"""

import json
import re
from typing import Any

_VARIABLES = ("token", "credentialID", "SAD", "user", "password")


def write_collection(document: dict[str, Any]) -> dict[str, Any]:
    """From an OpenAPI description of ours."""
    items = [
        _item(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    named = set(re.findall(r"{{(\w+)}}", json.dumps(items))) - {"baseUrl"}
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "variable": [
            {"key": "baseUrl", "value": document["servers"][0]["url"]},
            *({"key": name, "value": ""} for name in sorted(named)),
        ],
        "item": items,
    }


def _item(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    place = re.sub(r"{(\w+)}", r"{{\1}}", path[1:])
    request: dict[str, Any] = {
        "method": method,
        "description": f"{operation['summary']}. {operation['description']}".strip(),
        "auth": _auth(operation),
        "header": [],
        "url": {"raw": f"{{{{baseUrl}}}}/{place}", "host": ["{{baseUrl}}"], "path": place.split("/")},
    }
    if query := [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]:
        request["url"]["query"] = [{"key": name, "value": "", "disabled": True} for name in query]
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        request["header"] = [{"key": "Content-Type", "value": "application/json"}]
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(_example(schema), indent=2),
            "options": {"raw": {"language": "json"}},
        }
    return {"name": path[1:] if method == "POST" else f"{method} {path[1:]}", "request": request}


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
    if "enum" in schema:
        return schema["enum"][0]
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
