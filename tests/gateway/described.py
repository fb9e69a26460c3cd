"""Every answer that these tests get, held against the description of the API."""

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs
from django.conf import settings

from gateway.openapi.document import Service, build_document
from gateway.openapi.schemas import COMPONENTS

_BASE = "/gateway/v1"


@cache
def document() -> dict[str, Any]:
    return build_document(Service("http://testserver/gateway/v1", "http://testserver/oauth2", "r", 1))


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[0-9a-f-]{36}", re.escape(path))), methods)
        for path, methods in document()["paths"].items()
    ]


@cache
def _validator(schema: str) -> Any:
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": {"schemas": COMPONENTS}}
    return jsonschema_rs.validator_for(whole | json.loads(schema), validate_formats=True)


def hold_against_description(method: str, path: str, response: Any) -> None:
    """Raises where a described call answers with a status or a body that is not described."""
    place = path.partition("?")[0].removeprefix(_BASE)
    found = [methods for pattern, methods in _operations() if pattern.fullmatch(place)]
    operation = found[0].get(method.lower()) if found else None
    if operation is None:
        assert response.status_code in {404, 405}, (method, path, response.status_code)
        return
    answer = operation["responses"][str(response.status_code)]
    media_types = answer.get("content", {})
    if not media_types:
        assert response.content == b""
        return
    media_type = response["Content-Type"].partition(";")[0]
    schema = media_types[media_type]["schema"]
    if media_type == "application/json":
        _validator(json.dumps(schema)).validate(response.json())
    if response.status_code in {429, 503}:
        assert int(response["Retry-After"]) > 0
    assert settings.GATEWAY_API_URL.endswith(_BASE)
