"""The OpenAPI 3.1 description of the API."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.openapi.calls import CALLS, PDF, Body, Call
from gateway.openapi.schemas import COMPONENTS, identifier, string

_REFUSALS = {
    400: "A member is missing or malformed",
    401: "The token is missing, has ended, or is not for this service",
    403: "The approval was denied or does not fit, or the client may not do this",
    404: "There is none of the caller's",
    405: "The address takes other methods; Allow names them",
    409: "The job is not in a state that allows this",
    410: "The approval came too late",
    413: "The document is larger than can be signed here",
    422: "The document cannot be signed as it is or as it was asked for",
    429: "Too many wait for an approval, too many documents are the caller's, or too many passwords were tried; "
    "try again after the given seconds",
    500: "An error that has no name, or an outcome that is not known",
    503: "Another service does not answer now; try again after the given seconds",
    507: "There is no room for the document now",
}


@dataclass(frozen=True)
class Service:
    """Where the API and the OAuth endpoints lie, without a slash, and which resource a token has to be for."""

    base_url: str
    oauth2: str
    resource: str
    largest: int


def build_document(service: Service) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signing PDF documents",
            "version": "1",
            "description": (
                "Documents in, PAdES signatures out. What is signed is approved by the signer, or sealed by a client "
                f"that may. A document has at most {service.largest} bytes; JSON is UTF-8, no member twice."
            ),
        },
        "servers": [{"url": service.base_url}],
        "paths": paths,
        "components": {"schemas": COMPONENTS, "securitySchemes": _security_schemes(service)},
        "security": [{"oauth2": ["service"]}, {"bearer": []}, {"dpop": []}],
    }


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.path.split("/")[1]],
        "summary": call.summary,
        "responses": _answers(call),
    }
    if call.description:
        operation["description"] = call.description
    if parameters := list(_parameters(call)):
        operation["parameters"] = parameters
    if call.takes:
        operation["requestBody"] = {"required": True, "content": dict(_content(body) for body in call.takes)}
    return operation


def _parameters(call: Call) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", call.path):
        yield {"name": name, "in": "path", "required": True, "schema": identifier()}
    for name, description in call.headers.items():
        yield {"name": name, "in": "header", "description": description, "schema": string()}
    if call.creates:
        description = "The same key and request again answer the same; with another request 422."
        schema = string(minLength=1, maxLength=255, pattern=r"^[\x20-\x7e]+$")
        yield {"name": "Idempotency-Key", "in": "header", "description": description, "schema": schema}


def _content(body: Body) -> tuple[str, dict[str, Any]]:
    if isinstance(body, str):
        return body, {"schema": {}}
    return "application/json", {"schema": body}


def _answers(call: Call) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, body in call.answers.items():
        answers[str(status)] = {"description": "Success"}
        if body:
            answers[str(status)]["content"] = dict([_content(body)])
    for status, description in _REFUSALS.items():
        if status == 413 and PDF not in call.takes:
            continue
        answers[str(status)] = {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    for refusal in ("429", "503"):
        answers[refusal]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return answers


def _security_schemes(service: Service) -> dict[str, Any]:
    scopes = {"service": "Use this service for the person who logged in, or for the client itself"}
    token_url = f"{service.oauth2}/token"
    return {
        "oauth2": {
            "type": "oauth2",
            "description": f"The token is for the resource {service.resource} (RFC 8707). PKCE is required.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{service.oauth2}/authorize",
                    "tokenUrl": token_url,
                    "refreshUrl": token_url,
                    "scopes": scopes,
                },
                "clientCredentials": {"tokenUrl": token_url, "scopes": scopes},
            },
        },
        "bearer": {"type": "http", "scheme": "bearer"},
        "dpop": {"type": "http", "scheme": "DPoP", "description": "Of a token that is bound to a key (RFC 9449)."},
    }
