"""The scope of rssp's operators' API: given to no client by default, and to nobody who is no operator."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from authz.errors import InvalidRequestError
from authz.models import AccessToken, Application, RefreshToken, User
from authz.services import oauth_clients
from authz.services.client_policy import find_faults
from tests.authz.conftest import GATEWAY, RSSP, SIGNAPP, Person, Pkce, Server, query

CALLBACK = "https://console.example/callback"
Client = tuple[str, str]


@pytest.fixture
def console() -> Client:
    """A client that an operator registered for operators."""
    application, secret = oauth_clients.create_client(
        name="Console", redirect_uris=[CALLBACK], is_public=False, may_act_alone=True, may_operate=True
    )
    return application.client_id, secret


@pytest.fixture
def operator(alice: Person) -> Person:
    User.objects.filter(email=alice.email).update(is_staff=True)
    return alice


def ask(client: Client, pkce: Pkce, **changes: Any) -> dict[str, Any]:
    return {
        "response_type": "code",
        "client_id": client[0],
        "redirect_uri": CALLBACK,
        "scope": "operator",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        **changes,
    }


def page_for(person: Person, client: Client, pkce: Pkce) -> str:
    """The address of the consent page, logged in."""
    person.log_in()
    return str(person.browser.get("/authz/oauth2/authorize", ask(client, pkce))["Location"])


def redeem(server: Server, person: Person, client: Client) -> dict[str, Any]:
    pkce = Pkce()
    page = page_for(person, client, pkce)
    assert "administer everybody" in person.browser.get(page).content.decode()
    code = query(person.browser.post(page, {"answer": "allow"})["Location"])["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": pkce.verifier}
    answer = server.token(form, client)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def test_an_operator_s_token_says_who_it_is_and_is_for_rssp_alone(
    server: Server, operator: Person, console: Client
) -> None:
    answer = redeem(server, operator, console)
    assert (answer["scope"], answer["expires_in"]) == ("operator", 900)
    assert "refresh_token" not in answer
    assert not RefreshToken.objects.exists()
    told = server.introspect(answer["access_token"])
    assert (told["scope"], told["aud"]) == ("operator", [django_settings.RSSP_RESOURCE])
    assert (told["username"], told["sub"], told["acr"]) == (operator.email, str(operator.user.sub), "aal2")
    assert server.introspect(answer["access_token"], GATEWAY) == {"active": False}


@pytest.mark.parametrize("change", ["no operator", "closed", "client"])
def test_what_is_taken_back_ends_at_once(server: Server, operator: Person, console: Client, change: str) -> None:
    token = redeem(server, operator, console)["access_token"]
    assert server.introspect(token)["active"]
    if change == "client":
        Application.objects.filter(client_id=console[0]).update(allowed_scopes="service")
    else:
        User.objects.filter(pk=operator.user.pk).update(
            **{"no operator": {"is_staff": False}}.get(change, {"is_active": False})
        )
    assert server.introspect(token) == {"active": False}


def test_who_is_no_operator_allows_nothing(server: Server, bob: Person, console: Client) -> None:
    page = page_for(bob, console, Pkce())
    for answer in (bob.browser.get(page), bob.browser.post(page, {"answer": "allow"})):
        assert answer.status_code in {400, 403, 404, 410}
        assert "Location" not in answer
    assert not AccessToken.objects.exists()


def test_no_client_has_the_scope_unless_it_was_given(server: Server, operator: Person, foreign: Client) -> None:
    for client in (SIGNAPP, GATEWAY):
        pushed = server.push(ask(client, Pkce()) | {"redirect_uri": django_settings.LOGIN_REDIRECT_URI}, client)
        assert pushed.status_code == 400, client[0]
    pushed = server.push(ask(foreign, Pkce(), redirect_uri="https://elsewhere.example/callback"), foreign)
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_scope")
    assert not [client for client in Application.objects.all() if "operator" in client.scopes()]


@pytest.mark.parametrize(
    "changes",
    [
        *({"scope": each} for each in ("operator service", "openid operator", "operator credential", "service")),
        {"resource": django_settings.GATEWAY_RESOURCE},
    ],
)
def test_the_scope_stands_alone_and_is_for_rssp(server: Server, console: Client, changes: dict[str, str]) -> None:
    assert server.push(ask(console, Pkce(), **changes), console).status_code == 400


def test_the_client_s_own_token_has_the_scope_alone(server: Server, console: Client, foreign: Client) -> None:
    def own(client: Client, **form: str) -> Any:
        return server.token({"grant_type": "client_credentials", **form}, client)

    told = server.introspect(own(console, scope="operator").json()["access_token"])
    assert (told["scope"], told["gty"], told["sub"]) == ("operator", "client_credentials", console[0])
    assert (told["aud"], "username" in told) == ([django_settings.RSSP_RESOURCE], False)
    for scope in ("", "service", "operator service", "operators"):
        assert own(console, scope=scope).json()["error"] == "invalid_scope"
    assert own(console, scope="operator", resource=django_settings.GATEWAY_RESOURCE).json()["error"] == "invalid_target"
    for client in (foreign, GATEWAY, SIGNAPP, RSSP):
        assert own(client, scope="operator").status_code == 400
    Application.objects.filter(client_id=foreign[0]).update(may_act_alone=True)
    assert own(foreign, scope="operator").json()["error"] == "invalid_scope"


def test_who_can_keep_no_secret_is_no_such_client(capsys: pytest.CaptureFixture[str]) -> None:
    for changes in ({"is_public": True}, {"is_public": False, "may_use_gateway": True}):
        with pytest.raises(InvalidRequestError):
            oauth_clients.create_client(name="Console", redirect_uris=[CALLBACK], may_operate=True, **changes)
    call_command("create_client", "Console", "--redirect-uri", CALLBACK, "--may-operate", "--client-id", "console")
    kept = Application.objects.get(client_id="console")
    assert (kept.allowed_scopes, list(find_faults(application=kept))) == ("operator", [])
    kept.client_type = Application.CLIENT_PUBLIC
    assert [name for name, _sentence in find_faults(application=kept)] == ["allowed_scopes"]
