"""Tokens without a person, for seals: who may have one, and what it is told to be."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError

from authz.errors import InvalidRequestError
from authz.models import AccessToken, Application, RefreshToken
from authz.services import oauth_clients
from tests.authz.conftest import GATEWAY, RSSP, SIGNAPP, Person, Pkce, Server

Client = tuple[str, str]


@pytest.fixture
def sealer() -> Client:
    """A client that an operator allowed to act alone."""
    application, secret = oauth_clients.create_client(
        name="Invoices", redirect_uris=[], is_public=False, may_act_alone=True
    )
    return application.client_id, secret


def ask(server: Server, client: Client | None, **form: Any) -> Any:
    return server.token({"grant_type": "client_credentials", **form}, client)


def test_a_client_that_may_act_alone_has_a_service_token_of_its_own(server: Server, sealer: Client) -> None:
    answer = ask(server, sealer, scope="service").json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 900, "service")
    told = server.introspect(answer["access_token"])
    assert (told["active"], told["sub"], told["client_id"]) == (True, sealer[0], sealer[0])
    assert (told["gty"], told["aud"]) == ("client_credentials", [django_settings.RSSP_RESOURCE])
    assert not {"amr", "authorization_details", "paraph_approval"} & set(told)
    assert not RefreshToken.objects.exists()
    assert AccessToken.objects.get().token == ""
    assert server.introspect(answer["access_token"], GATEWAY) == {"active": False}


def test_the_secret_may_come_in_the_body(server: Server, sealer: Client) -> None:
    assert ask(server, None, client_id=sealer[0], client_secret=sealer[1]).status_code == 200


def test_a_person_s_token_has_no_such_mark(server: Server, alice: Person, login_code: Any) -> None:
    code, pkce = login_code(alice)
    told = server.introspect(server.redeem(code, pkce, SIGNAPP).json()["access_token"])
    assert "gty" not in told
    assert told["acr"] == "aal2"
    assert "mfa" in told["amr"]


@pytest.mark.parametrize(
    "scope", ["openid", "credential", "credential-creation", "service openid", "service email", "x"]
)
def test_nothing_of_a_person_can_be_asked_for(server: Server, sealer: Client, scope: str) -> None:
    answer = ask(server, sealer, scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert not AccessToken.objects.exists()


def test_no_other_client_may_act_alone(server: Server, sealer: Client, foreign: Client) -> None:
    for client in (foreign, GATEWAY, SIGNAPP, RSSP):
        answer = ask(server, client, scope="service")
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client"), client[0]
    for credentials in ((sealer[0], "x" * 43), (sealer[0], ""), ("nobody", sealer[1])):
        assert ask(server, credentials).status_code == 401
    assert ask(server, None, client_id=sealer[0]).status_code == 401


def test_a_public_client_may_not_act_alone_whatever_its_row_says(server: Server) -> None:
    with pytest.raises(InvalidRequestError):
        oauth_clients.create_client(name="App", redirect_uris=[], is_public=True, may_act_alone=True)
    application, _ = oauth_clients.create_client(
        name="App", redirect_uris=["https://app.example/callback"], is_public=True
    )
    Application.objects.filter(pk=application.pk).update(may_act_alone=True)
    answer = ask(server, None, client_id=application.client_id)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_only_a_registered_resource_can_be_asked_for(server: Server, sealer: Client) -> None:
    assert ask(server, sealer, resource=django_settings.RSSP_RESOURCE).status_code == 200
    for resource in (django_settings.GATEWAY_RESOURCE, "https://elsewhere.example"):
        answer = ask(server, sealer, resource=resource)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_what_an_operator_takes_back_ends_at_once(server: Server, sealer: Client) -> None:
    token = ask(server, sealer).json()["access_token"]
    assert server.introspect(token)["active"]
    Application.objects.filter(client_id=sealer[0]).update(may_act_alone=False)
    assert server.introspect(token) == {"active": False}
    assert ask(server, sealer).status_code == 400


def test_the_token_opens_nothing_of_a_person(server: Server, sealer: Client) -> None:
    token = ask(server, sealer).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert server.http.get("/authz/oauth2/userinfo", headers=headers).status_code == 401
    assert server.token({"grant_type": "refresh_token", "refresh_token": token}, sealer).status_code == 400


def test_a_client_without_redirect_uri_sends_no_browser_anywhere(server: Server, sealer: Client) -> None:
    pushed = server.push({"response_type": "code", "scope": "service", "code_challenge": Pkce().challenge}, sealer)
    assert pushed.status_code == 400


def test_an_operator_registers_one_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_client", "Invoices", "--may-act-alone", "--client-id", "invoices")
    assert Application.objects.get(client_id="invoices").may_act_alone
    with pytest.raises(CommandError):
        call_command("create_client", "Nowhere")
