"""Calls of the operators' API, each answer held against the description of it."""

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client

from rssp.models import CertificateRequest
from rssp.openapi.operators_document import build_operators_document
from rssp.openapi.operators_schemas import COMPONENTS
from tests.rssp.conftest import Signer
from tests.rssp.remote import Remote
from tests.rssp.test_requests import ask

BASE = "/rssp/operators/v1/"
CONSOLE, ROBOT = "console", "renewals"
REASON = {"reason": "By letter of 24 November"}


@pytest.fixture(autouse=True)
def operator_settings(settings: Any) -> None:
    """To be imported by each module of such tests."""
    settings.OPERATOR_API_CLIENTS = {CONSOLE: "", ROBOT: "carol"}
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer", "short-lived"]
    settings.REGISTRATION = {"demonstration": "automatic"}


def person(remote: Remote, name: str = "bob", **members: Any) -> str:
    """A token of an operator, who came by the console."""
    told = {"client_id": CONSOLE, "username": f"{name}@example.org"} | members
    return remote.grant(name, "operator", **told)


def robot(remote: Remote, client_id: str = ROBOT) -> str:
    return remote.grant(client_id, "operator", client_id=client_id, gty="client_credentials")


def get(path: str, bearer: str | None, **query: str) -> Any:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return described("get", path, Client().get(BASE + path, query, headers=headers))


def post(path: str, body: Any, bearer: str | None, key: str | None = None) -> Any:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    raw = body if isinstance(body, bytes) else json.dumps(body)
    answer = Client(enforce_csrf_checks=True).post(BASE + path, raw, "application/json", headers=headers)
    return described("post", path, answer, body)


def refused(answer: Any, status: int, error: str) -> None:
    told = answer.json()
    assert (answer.status_code, told["error"]) == (status, error), told
    assert set(told) == {"error", "error_description", "request_id"}
    assert answer["Cache-Control"] == "no-store"


def of(signer: Signer, act: str = "") -> str:
    return f"credentials/{signer.credential.credential_id}{f'/{act}' if act else ''}"


def request_of(signer: Signer) -> CertificateRequest:
    return CertificateRequest.objects.get(credential_id=ask(signer).json()["credentialID"])


def new_credential(**changes: Any) -> dict[str, Any]:
    wanted = {
        "mode": "explicit",
        "subject": "alice",
        "common_name": "Alice Example",
        "certificate_policy": "demonstration",
        "key_algorithm": "ec-p256",
        "objects": [{"name": "PIN", "kind": "pin", "secret": "271828"}],
        **REASON,
    }
    return {name: value for name, value in (wanted | changes).items() if value is not None}


# --- The description ----------------------------------------------------------------------------------------


@cache
def document() -> dict[str, Any]:
    address = "http://testserver/rssp/operators/v1"
    return build_operators_document(name="Test", base_url=address, oauth2="http://testserver/oauth2", resource="r")


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), methods)
        for path, methods in document()["paths"].items()
    ]


@cache
def _validator(schema: str) -> Any:
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": {"schemas": COMPONENTS}}
    return jsonschema_rs.validator_for(whole | json.loads(schema), validate_formats=True)


def _validate(holder: dict[str, Any], value: Any) -> None:
    _validator(json.dumps(holder["content"]["application/json"]["schema"])).validate(value)


def described(method: str, path: str, answer: Any, body: Any = None) -> Any:
    """The answer; raises where its status or its members are not described, or those of a body that was taken."""
    found = [
        methods[method] for pattern, methods in _operations() if pattern.fullmatch(f"/{path}") and method in methods
    ]
    if not found:
        assert answer.status_code in {404, 405}, (method, path, answer.status_code)
        return answer
    (operation,) = found
    _validate(operation["responses"][str(answer.status_code)], answer.json())
    if body is not None and answer.status_code < 300:
        _validate(operation["requestBody"], body)
    if answer.status_code in {429, 503}:
        assert int(answer["Retry-After"]) > 0
    return answer
