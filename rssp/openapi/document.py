"""The OpenAPI 3.1 description of one version of the CSC API."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rssp.openapi.methods import METHODS, Method, Security
from rssp.openapi.responses import describe_refusals, describe_successes
from rssp.openapi.schemas import ERROR
from rssp.wire import LONGEST_BODY, Version

_REFUSALS = {
    400: "A parameter is missing, malformed or not authorised",
    401: "The token is unknown or has ended",
    403: "The token is not for this method",
    405: "Every method is a POST",
    413: "The body is too long",
    429: "Too many calls; try again after the given seconds",
    500: "An error that has no name, or an outcome that is not known",
    501: "Not implemented",
    503: "Not reachable now; nothing was signed, nothing is spent",
}
_SCOPES = {
    "service": ["service"],
    "service or credential": ["service"],
    "creation": ["credential-creation"],
    "deletion": ["credential-deletion"],
    "binding": ["passkey-binding"],
}


@dataclass(frozen=True)
class Service:
    """Where the API and its OAuth endpoints lie, without a slash; ``methods`` are those that ``info`` lists."""

    name: str
    base_url: str
    oauth2: str
    methods: Collection[str]


def build_document(service: Service, version: Version) -> dict[str, Any]:
    built = [method for method in METHODS if version in method.clauses and method.name in {*service.methods, "info"}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{service.name}: CSC API version {version}",
            "version": {1: "1.0.4.0", 2: "2.0.0.2"}[version],
            "description": (
                "Remote signing by the Cloud Signature Consortium's protocol. Every method is a POST of one JSON "
                f"object; a body has at most {LONGEST_BODY} bytes, no member twice, and is UTF-8."
            ),
        },
        "servers": [{"url": f"{service.base_url}/v{version}"}],
        "paths": {f"/{method.name}": {"post": _operation(method, version)} for method in built},
        "components": {"schemas": {"Error": ERROR}, "securitySchemes": _security_schemes(service)},
    }


def _operation(method: Method, version: Version) -> dict[str, Any]:
    wanted = method.security[version]
    operation: dict[str, Any] = {
        "operationId": f"v{version}_{method.name.replace('/', '_')}",
        "tags": [method.name.split("/")[0] if "/" in method.name else "service"],
        "summary": method.summary,
        "description": f"{method.description} Clause {method.clauses[version]}.".strip(),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": method.request(version)}},
        },
        "responses": describe_successes({status: shape(version) for status, shape in method.answers.items()})
        | describe_refusals(_REFUSALS),
    }
    if wanted != "none":
        operation["security"] = _security(wanted)
    return operation


def _security(wanted: Security) -> list[dict[str, list[str]]]:
    if wanted == "basic":
        return [{"password": []}, {}]
    ways: list[dict[str, list[str]]] = [{"oauth2": _SCOPES[wanted]}]
    if wanted == "service or credential":
        ways.append({"oauth2": ["credential"]})
    return [*ways, {"bearer": []}]


def _security_schemes(service: Service) -> dict[str, Any]:
    scopes = {
        "service": "Read the descriptions of one's credentials",
        "credential": "Sign what was approved with one credential",
        "credential-creation": "Create one credential",
        "credential-deletion": "Delete one credential",
        "passkey-binding": "Change which passkeys sign with one credential",
    }
    token_url = f"{service.oauth2}/token"
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "By PKCE and, for what is signed, a passkey. The tokens end at oauth2/revoke beside these.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{service.oauth2}/authorize",
                    "tokenUrl": token_url,
                    "refreshUrl": token_url,
                    "scopes": scopes,
                },
                # Of a client that an operator lets act without a person, for seals.
                "clientCredentials": {"tokenUrl": token_url, "scopes": {"service": scopes["service"]}},
            },
        },
        "bearer": {"type": "http", "scheme": "bearer"},
        "password": {"type": "http", "scheme": "basic"},
    }
