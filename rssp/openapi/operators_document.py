"""The OpenAPI 3.1 description of the operators' API."""

import re
from collections.abc import Iterator
from typing import Any

from rssp.openapi.operators_calls import CALLS, Call
from rssp.openapi.operators_schemas import COMPONENTS
from rssp.openapi.responses import describe_refusals, describe_successes
from rssp.openapi.schemas import Schema, integer, string
from rssp.wire.operators import LONGEST_BODY

_REFUSALS = {
    400: "A member or parameter is missing, malformed or unknown",
    401: "There is no token, or one that has ended, is for another service or is not the caller's",
    403: "The token has another scope, the client is not let in, or this operator may not do this",
    404: "There is no such credential or request",
    405: "The address takes other methods; Allow names them",
    409: "It is so already, or cannot be any more; or the first call with this key is being answered",
    413: "The body is too long",
    422: "The certificate is not taken, or the key came with another request",
    429: "Too many calls; try again after the given seconds",
    500: "An error that has no name, or an outcome that is not known",
    503: "The token, the authority or the authorization server is not reached now",
}
_PATH: dict[str, Schema] = {
    "credential_id": string(minLength=1),
    "number": integer("A request's.", minimum=1),
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and request again are answered the same; with another request 422.",
    "schema": string(minLength=1, maxLength=255, pattern=r"^[\x20-\x7e]+$"),
}


def build_operators_document(*, name: str, base_url: str, oauth2: str, resource: str) -> dict[str, Any]:
    """Where the API and the OAuth endpoints lie, without a slash, and which resource a token has to be for."""
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{name}: operators' API",
            "version": "1",
            "description": (
                "What an operator does with credentials and requests for certificates, for programs. JSON is UTF-8, no "
                f"member twice; a body has at most {LONGEST_BODY} bytes, and what is unknown is refused."
            ),
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": COMPONENTS, "securitySchemes": _security_schemes(oauth2, resource)},
    }


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.path.split("/")[1]],
        "summary": call.summary,
        "description": call.description,
        "security": [{"oauth2": ["operator"]}, {"bearer": []}, {"dpop": []}],
        "responses": describe_successes(call.answers) | describe_refusals(_refusals(call)),
    }
    if parameters := list(_parameters(call)):
        operation["parameters"] = parameters
    if call.takes is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": call.takes}}}
    return operation


def _refusals(call: Call) -> dict[int, str]:
    others = ({404} if "{" not in call.path else set()) | ({409, 413, 422} if call.method == "GET" else set())
    return {status: sentence for status, sentence in _REFUSALS.items() if status not in others}


def _parameters(call: Call) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", call.path):
        yield {"name": name, "in": "path", "required": True, "schema": _PATH[name]}
    for name, schema in call.query.items():
        yield {"name": name, "in": "query", "schema": schema}
    if call.method == "POST":
        yield _KEY


def _security_schemes(oauth2: str, resource: str) -> dict[str, Any]:
    scopes = {"operator": "Do what operators do, as one or for one"}
    token_url = f"{oauth2}/token"
    return {
        "oauth2": {
            "type": "oauth2",
            "description": f"Of a client that operators registered for this; the token is for the resource {resource}.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{oauth2}/authorize",
                    "tokenUrl": token_url,
                    "scopes": scopes,
                },
                "clientCredentials": {"tokenUrl": token_url, "scopes": scopes},
            },
        },
        "bearer": {"type": "http", "scheme": "bearer"},
        "dpop": {"type": "http", "scheme": "DPoP", "description": "Of a token that is bound to a key (RFC 9449)."},
    }
