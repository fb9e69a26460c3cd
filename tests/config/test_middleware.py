"""Calls of the API pass by what browsers need, and lose none of what protects."""

import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import translation

from config.middleware import straight_to_apis

ALIAS = "rssp" if "rssp" in django_settings.DATABASES else "default"
pytestmark = pytest.mark.django_db(databases=[ALIAS, "default"])
PROTECTING = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "X-Request-Id",
]
SIGN = "/csc/v2/signatures/signHash"


def refuse_to_go_on(_request: HttpRequest) -> HttpResponse:
    raise AssertionError("this request took the long way")


@pytest.mark.parametrize("path", [SIGN, "/rssp/operators/v1/credentials"])
@pytest.mark.django_db(databases="__all__")
def test_a_call_takes_the_short_way(path: str) -> None:
    request = RequestFactory(headers={"host": "localhost"}).post(path, "{}", content_type="application/json")
    assert straight_to_apis(refuse_to_go_on)(request).status_code in {400, 401}
    assert not hasattr(request, "session")


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/csc/v2/nothing", "/csc/v9/signatures/signHash", "/admin/", "/csc/", "/rssp/operators/v1/nothing"],
)
def test_everything_else_takes_the_long_way(path: str) -> None:
    request = RequestFactory(headers={"host": "localhost"}).get(path)
    with pytest.raises(AssertionError, match="long way"):
        straight_to_apis(refuse_to_go_on)(request)


@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_a_call_is_protected_as_a_page_is(client: Client, method: str) -> None:
    page, call = client.get("/csc/v2/nothing"), getattr(client, method)(SIGN)
    assert call.status_code in {400, 401, 405}
    for name in PROTECTING:
        assert call.headers[name], name
        assert name == "X-Request-Id" or call.headers[name] == page.headers[name]
    assert call.headers["Content-Length"] == str(len(call.content))
    assert not call.cookies
    assert not call.headers.get("Set-Cookie")


def test_a_host_of_somebody_else_s_is_refused(client: Client) -> None:
    assert client.post(SIGN, headers={"host": "evil.example"}).status_code == 400


def test_a_call_speaks_the_installation_s_language_whatever_the_thread_spoke_last(client: Client) -> None:
    with translation.override("de"):
        client.post(SIGN, headers={"accept-language": "fr"})
        assert translation.get_language() == django_settings.LANGUAGE_CODE
