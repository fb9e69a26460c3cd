"""Programs on their user's own machine (RFC 8252): the command line's client, and loopback redirect URIs."""

import pytest
from django.conf import settings

from authz.errors import InvalidRequestError
from authz.models import Application
from authz.services.oauth_clients import create_client, sync_clients

pytestmark = pytest.mark.django_db


def test_the_command_lines_client_is_public_and_gets_no_more_than_the_account() -> None:
    sync_clients()
    client = Application.objects.get(client_id=settings.COMMAND_LINE_CLIENT_ID)
    assert client.client_type == Application.CLIENT_PUBLIC
    assert client.allowed_scopes == "service"
    assert client.allowed_resources == [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE]
    assert client.require_pkce
    assert not client.skip_authorization
    assert not client.may_act_alone
    assert client.is_own


def test_an_operator_switches_it_off(settings: object) -> None:
    sync_clients()
    settings.COMMAND_LINE_CLIENT = False  # type: ignore[attr-defined]  # pytest-django's
    sync_clients()
    assert not Application.objects.filter(client_id="paraph-cli").exists()


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:1/callback", "http://127.0.0.1:49152/callback", "http://127.0.0.1/callback"],
)
def test_a_program_comes_back_at_the_port_that_it_was_given(uri: str) -> None:
    sync_clients()
    assert Application.objects.get(client_id="paraph-cli").redirect_uri_allowed(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:49152/callback",
        "http://127.0.0.1:49152/",
        "http://127.0.0.1:49152/callback/",
        "http://127.0.0.1:49152/callback?x=1",
        "http://127.0.0.1:49152/callback#x",
        "http://127.0.0.1:49152/callback/../x",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:049/callback",
        "http://127.0.0.1:49152@evil.example/callback",
        "http://evil@127.0.0.1:49152/callback",
        "http://127.0.0.2:49152/callback",
        "http://127.0.0.1.evil.example:49152/callback",
        "http://2130706433:49152/callback",
        "https://127.0.0.1:49152/callback",
        "HTTP://127.0.0.1:49152/callback",
        "http://[::1]:49152/callback",
        "http://127.0.0.1:49152/callback\n",
        "",
    ],
)
def test_and_nowhere_else(uri: str) -> None:
    sync_clients()
    assert not Application.objects.get(client_id="paraph-cli").redirect_uri_allowed(uri)


def test_a_confidential_client_names_its_port() -> None:
    application, _secret = create_client(
        name="Elsewhere", redirect_uris=["http://127.0.0.1/callback"], is_public=False, client_id="elsewhere"
    )
    assert not application.redirect_uri_allowed("http://127.0.0.1:49152/callback")


def test_loopback_is_registered_where_plain_http_is_not(settings: object) -> None:
    oauth = {**settings.OAUTH2_PROVIDER, "ALLOWED_REDIRECT_URI_SCHEMES": ["https"]}  # type: ignore[attr-defined]
    settings.OAUTH2_PROVIDER = oauth  # type: ignore[attr-defined]
    create_client(name="Tool", redirect_uris=["http://127.0.0.1/callback"], is_public=True, client_id="tool")
    for uri in ("http://localhost/callback", "http://127.0.0.1.evil.example/callback", "http://example.org/"):
        with pytest.raises(InvalidRequestError):
            create_client(name="Tool", redirect_uris=[uri], is_public=True)
