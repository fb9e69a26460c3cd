"""The description of the operators' API says what the URL table has and what the views take, is OpenAPI 3.1, and holds
for whatever a fuzzer sends. That it holds for what other tests are answered, `tests.rssp.operators` sees to."""

import os
import re
import time
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection

from rssp.error_responses import INVALID_REQUEST
from rssp.errors import InvalidParameterError, MissingParameterError
from rssp.models import AuditEvent
from rssp.urls import urlpatterns
from rssp.views import operators as views
from rssp.wire import operators as wire
from tests.rssp.conftest import Signer
from tests.rssp.operators import BASE, get, new_credential, operator_settings, person, post, refused, request_of
from tests.rssp.remote import Remote
from tests.rssp.test_openapi import CHECKS, one_connection

__all__ = ["one_connection", "operator_settings"]
ADDRESS = BASE.rstrip("/")
DESCRIPTIONS = ("", "/openapi.json", "/postman.json")
UNKNOWN = {"credential_id": "unknown", "number": "7"}
# `make soak` asks for more.
CASES = int(os.environ.get("FUZZ_CASES", "100"))


def description() -> dict[str, Any]:
    answer = Client().get(f"{ADDRESS}/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path below the API's address with something unknown in it, and what is said of it."""
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            yield method, path[1:].format(**UNKNOWN), operation


def query_of(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == "query"}


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


def test_it_describes_each_address_with_each_of_its_methods_and_no_other() -> None:
    served = {re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in urlpatterns}
    own = {f"/{path}".removeprefix(ADDRESS) for path in served if path.startswith(ADDRESS[1:])}
    paths, client = description()["paths"], Client()
    assert set(paths) == own - set(DESCRIPTIONS)
    for path, methods in paths.items():
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            answer = client.generic(method, ADDRESS + path.format(**UNKNOWN))
            # Without a token each call that there is stops there.
            assert answer.status_code == (401 if method.lower() in methods else 405), (method, path)


def _members(schema: dict[str, Any]) -> Iterator[set[str]]:
    yield set(schema["properties"])
    for member in schema["properties"].values():
        inner = member.get("items", member)
        if "properties" in inner:
            yield from _members(inner)


def test_a_call_takes_the_members_and_parameters_that_are_described_and_no_others(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer, taken = person(remote), list[set[str]]()
    refuse_others = wire.refuse_others

    def noting(given: Any, known: set[str]) -> None:
        taken.append(known)
        refuse_others(given, known)

    monkeypatch.setattr(wire, "refuse_others", noting)
    # What opens the objects inside them to a look.
    inner = {"create_credential": new_credential(objects=[{}]), "approve_request": {"attributes": {}}}
    for method, path, operation in operations():
        taken.clear()
        if method == "get":
            get(path, bearer)
            assert taken == [set(query_of(operation))], path
            refused(get(path, bearer, unknown="1"), 400, "invalid_request")
        else:
            post(path, inner.get(operation["operationId"], {}), bearer)
            assert taken == list(_members(body_of(operation))), path
            answer = post(path, {"unknown": 1}, bearer)
            refused(answer, 400, "invalid_request")
            assert answer.json()["error_description"] != INVALID_REQUEST


def test_a_parameter_may_be_what_is_described() -> None:
    paging = {"limit", "cursor"}
    for path, filters in (("/credentials", views.CREDENTIAL_FILTERS), ("/requests", views.REQUEST_FILTERS)):
        told = query_of(description()["paths"][path]["get"])
        assert {name: tuple(each.get("enum", ())) for name, each in told.items() if name not in paging} == filters
        assert paging < set(told)


@pytest.mark.parametrize(
    ("operation_id", "member", "fits"),
    [
        ("disable_credential", "reason", ("x" * 3, "x" * 150)),
        ("approve_request", "evidence", ("x" * 3, "x" * 2000)),
        ("create_credential", "subject", ("x", "x" * 255)),
    ],
)
def test_a_text_may_be_as_long_as_is_described(operation_id: str, member: str, fits: tuple[str, str]) -> None:
    (operation,) = [each for _, _, each in operations() if each["operationId"] == operation_id]
    schema = body_of(operation)["properties"][member]
    assert (schema["minLength"], schema["maxLength"]) == tuple(map(len, fits))
    parse: Any = {
        "disable_credential": wire.parse_reason,
        "approve_request": wire.parse_approval,
        "create_credential": wire.parse_new_credential,
    }[operation_id]
    whole = new_credential() if operation_id == "create_credential" else {}
    for text in fits:
        parse(whole | {member: text})
    for text in (fits[0][1:], fits[1] + "x"):
        with pytest.raises(InvalidParameterError if text else MissingParameterError):
            parse(whole | {member: text})


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
    told = [operation for _, _, operation in operations()]
    assert len({each["operationId"] for each in told}) == len(told)
    for operation in told:
        assert operation["security"]
        for way in operation["security"]:
            assert set(way) <= set(document["components"]["securitySchemes"])
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert {tuple(flow["scopes"]) for flow in flows.values()} == {("operator",)}


def test_the_page_names_every_call_and_shape_and_needs_no_script_of_its_own() -> None:
    answer = Client().get(ADDRESS)
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


def test_the_collection_has_a_request_for_each_call() -> None:
    answer = Client().get(f"{ADDRESS}/postman.json")
    collection = answer.json()
    assert "attachment" in answer["Content-Disposition"]
    requests = [item["request"] for item in collection["item"]]
    assert len({item["name"] for item in collection["item"]}) == len(requests) == len(list(operations()))
    told = {(each["method"].lower(), "/".join(each["url"]["path"])) for each in requests}
    assert told == {
        (method, path[1:].replace("{", "{{").replace("}", "}}"))
        for path, methods in description()["paths"].items()
        for method in methods
    }
    for each in requests:
        assert ("body" in each) is (each["method"] == "POST")
        assert each["auth"]["type"] == "bearer"
    assert {each["key"] for each in collection["variable"]} == {"baseUrl", "token", "credential_id", "number"}


@pytest.mark.parametrize("address", DESCRIPTIONS)
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_descriptions_are_read_and_nothing_else(address: str, method: str) -> None:
    answer = getattr(Client(), method)(f"{ADDRESS}{address}")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@pytest.fixture
def own(alice: Signer, settings: Any, request: pytest.FixtureRequest) -> dict[str, str]:
    """What there is, under the names that paths have for it. Nobody is told to come back later, and what ends for good
    takes two."""
    settings.CSC_CALLS_PER_CLIENT = settings.CSC_CALLS_PER_ADDRESS = 0
    settings.FOUR_EYES = ["lifecycle"]
    names = {"credential_id": alice.credential.credential_id, "number": str(request_of(alice).pk)}
    request.getfixturevalue("one_connection")  # Django's test client undoes it, so whatever uses that comes first
    return names


def test_a_fuzzer_finds_no_server_error_and_no_undescribed_answer(alice: Signer, own: dict[str, str]) -> None:
    """Positive and negative data for every operation, with and without an operator's token, on what there is and on
    what there is not."""
    schema = schemathesis.openapi.from_wsgi(f"{ADDRESS}/openapi.json", get_wsgi_application())
    told = [result.ok() for result in schema.get_all_operations()]
    bearer, tried = person(alice.remote, exp=int(time.time()) + 86400), 0
    for operation in told:
        strategy = operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @settings(
            max_examples=max(3, -(-CASES // len(told))),
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
            assert case.meta is not None
            path = case.meta.components.get(ParameterLocation.PATH)
            if tried % 3 and path is not None and not path.mode.is_negative:
                case.path_parameters.update({name: own[name] for name in own if name in case.path_parameters})
            if tried % 5:
                case.headers = {**(case.headers or {}), "Authorization": f"Bearer {bearer}"}
            # Nothing is ignored here: what does not fit the description is refused.
            case.call_and_validate(checks=[*CHECKS, negative_data_rejection])

        ask()
    assert tried >= 2 * len(told)
    assert AuditEvent.objects.filter(action="administer", result="done").exists()
    assert get(f"credentials/{own['credential_id']}", bearer).json()["status"] in {"enabled", "disabled"}
