"""Every method that ``info`` lists, in both versions: odd bodies, headers and HTTP methods, and errors that are JSON.

The cases are made from the list itself, so that a new method is tried like the others.
"""

import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from authz.services.oauth_clients import sync_clients
from rssp.error_responses import SERVER_ERROR
from rssp.services.describing import list_methods
from rssp.wire import LONGEST_BODY
from tests.authz.conftest import Person
from tests.authz.test_csc_login import basic, log_in
from tests.rssp.remote import Remote

CASES = [(version, method) for version in (1, 2) for method in list_methods(version)]
every_method = pytest.mark.parametrize(("version", "method"), CASES)
NO_TOKEN = {"info", "auth/login"}
LONGEST_AUTH_BODY = 65536  # the authorization server answers these
CSC_BODY_SECONDS = 1.0  # of this process's CPU, whatever else the machine does
ODD_BODIES: dict[str, bytes] = {
    "a member twice": b'{"credentialID": "a", "credentialID": "b"}',
    "a member twice, further down": b'{"clientData": {"a": 1, "a": 2}}',
    "a member twice, spelt in two ways": b'{"lang": "en", "l\\u0061ng": "de"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "minus Infinity": b'{"a": [-Infinity]}',
    "beyond a double": b'{"a": 1e999}',
    "10^5000": b'{"a": 1' + b"0" * 5000 + b"}",
    "two million digits": b'{"a": ' + b"9" * 60_000 + b"}",
    "deep arrays": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and open": b"[" * 100_000,
    "a half of a pair": b'{"a": "\\ud800"}',
    "halves in the wrong order": b'{"a": "\\udc00\\ud800"}',
    "a half in a name": b'{"\\udfff": 1}',
    "a half in the bytes": b'{"a": "\xed\xa0\x80"}',
    "NUL": b'{"a": "\\u0000"}',
    "not UTF-8": b'{"a": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "trailing text": b"{} x",
    "a second object": b"{}{}",
    "a trailing comma": b'{"a": 1,}',
    "a comment": b"{} // a",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16, no mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "an array": b"[]",
    "a string": b'"text"',
    "null": b"null",
    "nothing": b"",
    "a form": b"credentialID=a",
}


@pytest.fixture
def authorize(remote: Remote) -> Callable[[int, str], str | None]:
    """The header that opens a method, so that what is refused is the rest."""

    def header(version: int, method: str) -> str | None:
        if method == "info":
            return None
        if method.startswith("auth/"):
            person = Person("Alice").exist()
            sync_clients()
        if method == "auth/login":
            return basic(person.email, "wrong")
        if method == "auth/revoke":
            return f"Bearer {log_in(person, version=version)['access_token']}"
        return f"Bearer {remote.grant('alice', 'service credential-creation credential-deletion passkey-binding')}"

    return header


Authorize = Callable[[int, str], str | None]


def send(version: int, method: str, body: bytes, authorization: str | None, **options: Any) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    content_type = options.pop("content_type", "application/json")
    http = options.pop("http", "POST")
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    path = f"/csc/v{version}/{method}{options.pop('query', '')}"
    return browser.generic(http, path, body, content_type, headers=headers | options.pop("headers", {}), **options)


def send_in_time(send_it: Callable[[], Any], name: str) -> Any:
    """The answer, which costs no more than any body may.

    A dear one is sent again: what a body costs, it costs each time; a full collection of this process's garbage, or one
    of its other threads, comes once.
    """
    costs = []
    for _attempt in range(3):
        started = time.process_time()
        answer = send_it()
        costs.append(time.process_time() - started)
        if costs[-1] < CSC_BODY_SECONDS:
            return answer
    pytest.fail(f"{name}: {costs} seconds")


def read_error(answer: Any, *statuses: int) -> dict[str, Any]:
    """What every answer that is no success must be (CSC API v2, 10.1)."""
    assert answer.status_code in statuses, (answer.status_code, answer.content[:300])
    assert answer["Content-Type"].split(";")[0] == "application/json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"error", "error_description", "request_id"}
    assert all(isinstance(value, str) and value for value in body.values())
    assert not re.search(r"<html|traceback|/rssp/|\.py", answer.content.decode(), re.IGNORECASE)
    return body


# --- Bodies -------------------------------------------------------------------------------------------------


@every_method
def test_a_body_that_is_not_one_strict_object_is_refused_at_once(
    authorize: Authorize, version: int, method: str
) -> None:
    header = authorize(version, method)
    for name, body in ODD_BODIES.items():
        answer = send_in_time(partial(send, version, method, body, header), name)
        too_long = method.startswith("auth/") and len(body) > LONGEST_AUTH_BODY
        assert read_error(answer, 413 if too_long else 400)["error"] == "invalid_request", name


@every_method
def test_a_body_of_another_type_is_refused(authorize: Authorize, version: int, method: str) -> None:
    header = authorize(version, method)
    for content_type in (
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""),
        *("application/json; charset=utf-16", "application/json; charset=latin-1", "application/jsonp"),
    ):
        read_error(send(version, method, b"{}", header, content_type=content_type), 400)


@every_method
def test_an_over_long_body_is_refused_unread(authorize: Authorize, version: int, method: str) -> None:
    long = b'{"a": "' + b"a" * (LONGEST_BODY + 1) + b'"}'
    header = authorize(version, method)
    for body, announced in ((long, len(long)), (b"{}", 100 * 1024 * 1024), (b"{}", 10**30)):
        answer = send_in_time(
            partial(send, version, method, body, header, CONTENT_LENGTH=str(announced)), str(announced)
        )
        read_error(answer, 413, 400 if announced > len(body) else 413)


# --- Headers, parameters and HTTP methods ------------------------------------------------------------------------


@every_method
def test_what_is_unknown_or_in_the_address_changes_no_answer(authorize: Authorize, version: int, method: str) -> None:
    header = authorize(version, method)

    def said(body: dict[str, Any], query: str = "") -> Any:
        answer = send(version, method, json.dumps(body).encode(), header, query=query)
        if answer.status_code < 300:
            return answer.status_code, sorted(answer.json())
        found = read_error(answer, 400)
        return answer.status_code, found["error"], found["error_description"]

    plain = said({})
    assert said({"unknown": 1, "Unknown": {"a": [1]}, "credentialid": "x", "": None}) == plain
    for query in ("?credentialID=x&SAD=x&userID=x", "?access_token=x", "?%00", "?a=1&a=2"):
        assert said({}, query) == plain


@every_method
def test_the_header_is_read_once_and_in_any_case(authorize: Authorize, version: int, method: str) -> None:
    header = authorize(version, method)
    if header is None:
        # Nobody needs to say who they are, and nothing that they say counts.
        assert send(version, method, b"{}", "Bearer nonsense, Bearer nonsense").status_code == 200
        return
    kind, _, value = header.partition(" ")
    expected = send(version, method, b"{}", header)
    refusals = (400, 401) if method == "auth/login" else (400,)
    for spelt in (kind.lower(), kind.upper(), kind.swapcase()):
        answer = send(version, method, b"{}", f"{spelt} {value}")
        assert answer.status_code == expected.status_code
    # Two headers come as one with a comma (RFC 9110, 5.3): neither of them is chosen.
    for twice in (f"{header}, {header}", f"{header},{kind} other", f"{kind} other, {header}"):
        read_error(send(version, method, b"{}", twice), *refusals)
    for malformed in ("", kind, f"{kind} ", f"{value}", f"Digest {value}", f"{header} x", f"{header}\x00"):
        read_error(send(version, method, b"{}", malformed), *refusals)


@every_method
def test_other_http_methods_are_405_whatever_they_say_of_themselves(
    authorize: Authorize, version: int, method: str
) -> None:
    header = authorize(version, method)
    overriding = {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST", "X-Method-Override": "POST"}
    for http in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        answer = send(version, method, b"{}", header, http=http, query="?_method=POST", headers=overriding)
        assert (answer.status_code, answer["Allow"]) == (405, "POST"), http
        assert answer["Content-Type"].split(";")[0] == "application/json"
        if http != "HEAD":
            read_error(answer, 405)
        assert header is None or header.encode() not in answer.content


# --- Errors are JSON ----------------------------------------------------------------------------------------


@every_method
def test_an_error_without_a_name_is_told_without_detail(
    authorize: Authorize, monkeypatch: pytest.MonkeyPatch, version: int, method: str
) -> None:
    def fail(*_arguments: Any) -> Any:
        raise RuntimeError("SELECT pin FROM secrets at /srv/paraph/rssp/views.py")

    header = authorize(version, method)
    reader = "authz.views.csc._read_object" if method.startswith("auth/") else "rssp.views.endpoint.read_object"
    monkeypatch.setattr(reader, fail)
    answer = send(version, method, b"{}", header)
    found = read_error(answer, 500)
    assert found["error"] == "server_error"
    assert method.startswith("auth/") or found["error_description"] == SERVER_ERROR
    assert answer["X-Request-Id"] == found["request_id"]
    for detail in (b"pin", b"SELECT", b"/srv", b"RuntimeError", b"Traceback"):
        assert detail not in answer.content


@every_method
def test_what_refuses_a_token_is_json_too(authorize: Authorize, version: int, method: str) -> None:
    assert authorize(version, method) is not None or method == "info"
    if method in NO_TOKEN:
        return
    read_error(send(version, method, b"{}", None), 400)
    refusal = send(version, method, b"{}", "Bearer unknown")
    assert read_error(refusal, 401)["error"] == "invalid_token"


@pytest.mark.parametrize(
    "path",
    [
        *("/csc/", "/csc/v1/", "/csc/v2/", "/csc/v3/info", "/csc/v0/info", "/csc/info", "/csc/v2info", "/csc/V2/info"),
        *("/csc/v2/info/", "/csc/v2/INFO", "/csc/v2//info", "/csc/v2/./info", "/csc/v2/../v2/info"),
        *("/csc/v2/credentials", "/csc/v2/credentials/", "/csc/v2/credentials/unknown", "/csc/v2/signatures/signhash"),
        *("/csc/v1/signatures/signPolling", "/csc/v1/credentials/getChallenge", "/csc/v2/info%00", "/csc/v2/%2e%2e/"),
        *("/csc/v2/%3Cscript%3E", "/csc/v2/" + "a" * 5000, "/csc/v2/\u00e9", "/csc/v2/info%0d%0aX:%20y"),
        *("/rssp/operators/v1/", "/rssp/operators/v1/nothing", "/rssp/operators/v1/credentials/"),
    ],
)
def test_an_unknown_address_is_404_in_json(path: str) -> None:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for http in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = browser.generic(http, path, b"{}", "application/json")
        assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (404, "application/json")
        if http != "HEAD":
            assert read_error(answer, 404)["error"] == "not_found"
            assert b"<" not in answer.content


@pytest.mark.parametrize("address", ["", "/openapi.json", "/postman.json"])
@pytest.mark.parametrize("version", [1, 2])
def test_the_description_too_refuses_in_json(version: int, address: str) -> None:
    for http in ("POST", "PUT", "DELETE", "TRACE"):
        answer = Client(enforce_csrf_checks=True).generic(http, f"/csc/v{version}{address}", b"{}", "application/json")
        assert read_error(answer, 405)["error"] == "invalid_request"
        assert answer["Allow"] == "GET, HEAD"


def test_a_host_that_is_not_ours_is_refused_in_json() -> None:
    assert "evil.example" not in django_settings.ALLOWED_HOSTS
    answer = Client().post("/csc/v2/info", "{}", "application/json", headers={"Host": "evil.example"})
    assert b"evil" not in answer.content
    read_error(answer, 400)
