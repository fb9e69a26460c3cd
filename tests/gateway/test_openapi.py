"""The description says what the URL table has, is OpenAPI 3.1, and holds for whatever a fuzzer sends. That it holds for
what every other test here is answered, `tests.gateway.described` sees to."""

import os
import re
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
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.urls import urlpatterns
from tests.gateway.conftest import User
from tests.support import pdfs

# `make soak` asks for more.
CASES = int(os.environ.get("FUZZ_CASES", "100"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_PDF = pdfs.make_pdf()
schemathesis.openapi.media_type("application/pdf", st.sampled_from([_PDF, _PDF[:300], b"%PDF-1.7", b"", b"\0" * 99]))


@schemathesis.serializer("application/pdf")
def _as_it_is(ctx: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else repr(value).encode()


def description() -> dict[str, Any]:
    answer = Client().get("/gateway/v1/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


def _addresses() -> Iterator[str]:
    for pattern in urlpatterns:
        path = re.sub(r"<uuid:(\w+)>", r"{\1}", str(pattern.pattern))
        if path not in {"gateway/v1", "gateway/v1/openapi.json"} and path.startswith("gateway/v1/"):
            yield path.removeprefix("gateway/v1")


def test_it_describes_each_address_with_each_of_its_methods_and_no_other() -> None:
    paths, client = description()["paths"], Client()
    assert set(paths) == set(_addresses())
    for path, methods in paths.items():
        real = f"/gateway/v1{re.sub('{[a-z_]+}', '00000000-0000-0000-0000-000000000000', path)}"
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = client.generic(method, real)
            # Without a token each call that there is stops there.
            assert answer.status_code == (401 if method.lower() in methods else 405), (method, path)
            assert set(answer.json()) == {"error", "error_description", "request_id"}


def _schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document["components"]["schemas"].values()
    for methods in document["paths"].values():
        for operation in methods.values():
            yield from (each["schema"] for each in operation.get("parameters", ()))
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                yield from (content["schema"] for content in holder.get("content", {}).values())


def test_every_schema_is_one_and_every_reference_is_met() -> None:
    document = description()
    assert document["openapi"].startswith("3.1.")
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    for schema in _schemas(document):
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema)
        assert set(re.findall(r"'\$ref': '([^']+)'", repr(schema))) <= known
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for way in document["security"]:
        assert set(way) <= set(document["components"]["securitySchemes"])


def test_the_page_names_every_call_and_needs_no_script_of_its_own() -> None:
    answer = Client().get("/gateway/v1")
    page = answer.content.decode()
    assert answer.status_code == 200
    for path, methods in description()["paths"].items():
        for method in methods:
            assert f">{method.upper()} {path}<" in page
    links, anchors = re.findall('href="#([^"]+)"', page), re.findall(' id="([^"]+)"', page)
    assert set(links) <= set(anchors)
    assert len(set(anchors)) == len(anchors)
    assert "<script>" not in page
    assert "style=" not in page


@pytest.mark.parametrize("address", ["", "/openapi.json"])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_descriptions_are_read_and_nothing_else(address: str, method: str) -> None:
    assert getattr(Client(), method)(f"/gateway/v1{address}").status_code == 405


@pytest.fixture
def one_connection(prepared: str) -> Iterator[None]:
    """Requests over WSGI would close the test's own connection to the database, as they should elsewhere. Django's
    test client connects the signals anew, so whatever uses that comes first."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("one_connection")
def test_a_fuzzer_finds_no_server_error_and_no_undescribed_answer(
    alice: User, prepared: str, credential_id: str
) -> None:
    """Positive and negative data for every operation, with and without the user's token, on a job and on none."""
    schema = schemathesis.openapi.from_wsgi("/gateway/v1/openapi.json", get_wsgi_application())
    operations = [result.ok() for result in schema.get_all_operations()]
    own = {"job_id": prepared, "credential_id": credential_id}
    tried = 0
    for operation in operations:
        strategy = operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @settings(
            max_examples=max(3, -(-CASES // len(operations))),
            deadline=None,
            database=None,
            derandomize=CASES <= 100,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def ask(case: Case) -> None:
            nonlocal tried
            tried += 1
            if tried % 2:
                for part in (case.path_parameters, case.body):
                    if isinstance(part, dict):
                        part.update({name: value for name, value in own.items() if name in part})
            if tried % 4:
                case.headers = {**(case.headers or {}), "Authorization": f"Bearer {alice.token}"}
            case.call_and_validate(checks=CHECKS)

        ask()
    assert tried >= 2 * len(operations)
