"""The descriptions say what is built, are OpenAPI 3.1, and hold for whatever a fuzzer sends."""

import os
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from authz.services.oauth_clients import sync_clients
from rssp.services.describing import describe_service
from tests.rssp.conftest import Signer, call

both_versions = pytest.mark.parametrize("version", [1, 2])
# `make soak` asks for more.
CASES = int(os.environ.get("FUZZ_CASES", "200"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def description(version: int) -> dict[str, Any]:
    answer = Client().get(f"/csc/v{version}/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


@both_versions
def test_it_describes_what_info_lists_and_nothing_else(version: int) -> None:
    described = {path[1:] for path in description(version)["paths"]}
    told = call("info", {}, None, version=version).json()
    assert described == {"info", *told["methods"]}
    assert described == {"info", *describe_service(version=version).methods}  # type: ignore[arg-type]


@both_versions
def test_every_schema_is_one_and_every_reference_is_met(version: int) -> None:
    document = description(version)
    assert document["openapi"].startswith("3.1.")
    for path in document["paths"].values():
        operation = path["post"]
        assert {"400", "429", "500", "503"} <= set(operation["responses"])
        shapes = [operation["requestBody"], *operation["responses"].values()]
        for schema in (shape["content"]["application/json"]["schema"] for shape in shapes if "content" in shape):
            if reference := schema.get("$ref"):
                assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
            else:
                jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema)
        for way in operation.get("security", []):
            assert set(way) <= set(document["components"]["securitySchemes"])


@both_versions
def test_the_collection_has_a_request_for_each_method(version: int) -> None:
    answer = Client().get(f"/csc/v{version}/postman.json")
    collection = answer.json()
    assert "attachment" in answer["Content-Disposition"]
    assert "/v2.1.0/" in collection["info"]["schema"]
    assert {item["name"] for item in collection["item"]} == {path[1:] for path in description(version)["paths"]}
    sign = next(item for item in collection["item"] if item["name"] == "signatures/signHash")
    assert "{{credentialID}}" in sign["request"]["body"]["raw"]
    assert sign["request"]["auth"]["type"] == "bearer"


@both_versions
def test_the_page_names_every_method_and_needs_no_script_of_its_own(version: int) -> None:
    answer = Client().get(f"/csc/v{version}")
    page = answer.content.decode()
    assert answer.status_code == 200
    for path in description(version)["paths"]:
        assert f">{path[1:]}<" in page
    assert "<script>" not in page
    assert "style=" not in page


@pytest.mark.parametrize("address", ["", "/openapi.json", "/postman.json"])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_descriptions_are_read_and_nothing_else(address: str, method: str) -> None:
    assert getattr(Client(), method)(f"/csc/v2{address}").status_code == 405


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Requests over WSGI would close the test's own connection to the database, as they should elsewhere."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
@both_versions
def test_a_fuzzer_finds_no_server_error_and_no_undescribed_answer(alice: Signer, version: int) -> None:
    """Positive and negative data for every operation, with and without the user's token."""
    sync_clients()
    schema = schemathesis.openapi.from_wsgi(f"/csc/v{version}/openapi.json", get_wsgi_application())
    operations = [result.ok() for result in schema.get_all_operations()]
    token, tried = alice.log_in(), 0
    phases = [Phase.explicit, Phase.generate]
    for operation in operations:
        strategy = operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @settings(
            max_examples=max(5, CASES // len(operations)),
            deadline=None,
            database=None,
            derandomize=CASES <= 200,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def ask(case: Case) -> None:
            nonlocal tried
            tried += 1
            if tried % 2 and isinstance(case.body, dict) and "credentialID" in case.body:
                case.body["credentialID"] = alice.credential.credential_id
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"} if tried % 4 else case.headers
            case.call_and_validate(checks=CHECKS)

        ask()
    assert tried >= min(CASES, 200) * 0.8
