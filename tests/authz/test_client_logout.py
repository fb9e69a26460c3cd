"""Logging out on a client's word (OpenID Connect RP-Initiated Logout 1.0), and what logins are worth (RFC 9470)."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from authz.models import Application
from tests.authz.conftest import PASSWORD, SIGNAPP, Flow, Person, Pkce, Server, query

Login = Callable[..., tuple[str, Pkce]]
HOME = "https://elsewhere.example/bye"
LOGOUT = "/authz/oauth2/logout"


@pytest.fixture
def hint(server: Server, alice: Person, login_code: Login) -> str:
    """An ID token of Alice's login, whose client may send her home."""
    Application.objects.filter(client_id=SIGNAPP[0]).update(post_logout_redirect_uris=f"{HOME} {HOME}?a=b")
    code, pkce = login_code(alice)
    token: str = server.redeem(code, pkce, SIGNAPP).json()["id_token"]
    return token


def is_logged_in(person: Person) -> bool:
    return bool(person.browser.get("/authz/passkeys").status_code == 200)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_client_logs_its_user_out_and_has_the_browser_back(alice: Person, hint: str, method: str) -> None:
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": HOME + "?a=b", "state": "s&x=y"}
    answer = getattr(alice.browser, method)(LOGOUT, asked)
    assert answer.status_code == 302
    assert answer["Location"].startswith(HOME)
    assert query(answer["Location"]) == {"a": "b", "state": "s&x=y"}
    assert not is_logged_in(alice)


def test_without_an_address_the_browser_stays_here(alice: Person, hint: str) -> None:
    assert alice.browser.get(LOGOUT, {"id_token_hint": hint})["Location"] == "/authz/logged-out"
    assert not is_logged_in(alice)


@pytest.mark.parametrize(
    "redirect_uri",
    [HOME + "/", HOME + "?a=b&c=d", "https://evil.example/", "//evil.example/", "javascript:alert(1)", HOME + "#x"],
)
def test_d16_nobody_is_sent_to_an_address_that_is_not_registered(alice: Person, hint: str, redirect_uri: str) -> None:
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": redirect_uri}
    for changed in (asked, {"client_id": SIGNAPP[0]} | asked, {"post_logout_redirect_uri": HOME}):
        answer = alice.browser.get(LOGOUT, changed)
        assert answer.status_code == 400
        assert "Location" not in answer
    assert is_logged_in(alice)


def test_a_word_that_is_not_this_server_s_ends_nothing(alice: Person, hint: str) -> None:
    head, body, _ = hint.split(".")
    for wrong in ("x", f"{head}.{body}.AAAA", f"{head}.{body}.", "a.b.c"):
        assert alice.browser.get(LOGOUT, {"id_token_hint": wrong}).status_code == 400
    assert alice.browser.get(LOGOUT, {"id_token_hint": hint, "client_id": "paraph-gateway"}).status_code == 400
    assert is_logged_in(alice)


def test_nobody_is_logged_out_unasked(alice: Person, bob: Person, hint: str) -> None:
    bob.log_in()
    # Without a hint, and with the hint of somebody else's login.
    for person, asked in ((alice, {}), (bob, {"id_token_hint": hint}), (alice, {"client_id": SIGNAPP[0]})):
        page = person.browser.get(LOGOUT, asked)
        assert page.status_code == 200
        assert person.email in page.content.decode()
        assert is_logged_in(person)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = alice.browser.cookies
    assert strict.post("/authz/logout").status_code == 403
    assert is_logged_in(alice)
    alice.browser.post("/authz/logout")
    assert not is_logged_in(alice)


# --- Levels ----------------------------------------------------------------------------------------------------


def test_a_level_that_there_is_none_of_is_refused(flow: Flow) -> None:
    for level in ("aal2", "aal3 aal1"):
        assert flow.server.push(flow.make(Pkce(), acr_values=level)).status_code == 201
    for level in ("aal3", "", "urn:mace:incommon:iap:gold phr"):
        refused = flow.server.push(flow.make(Pkce(), acr_values=level))
        assert refused.json()["error"] == "unmet_authentication_requirements"


@pytest.mark.django_db(databases=["default", *{"rssp"} & set(django_settings.DATABASES)], transaction=True)
def test_a_login_that_is_too_weak_is_told_to_step_up(
    server: Server, alice: Person, login_code: Login, settings: Any
) -> None:
    settings.CSC_LOGIN, settings.REQUIRED_ACR = True, "aal2"

    def use(token: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return Client().post("/csc/v2/credentials/list", "{}", content_type="application/json", headers=headers)

    def by_password() -> str:
        body = {
            "headers": {"Authorization": "Basic " + base64.b64encode(f"{alice.email}:{PASSWORD}".encode()).decode()},
            "content_type": "application/json",
        }
        token: str = server.http.post("/csc/v2/auth/login", "{}", **body).json()["access_token"]
        return token

    refused = use(by_password())
    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
    assert 'acr_values="aal2"' in refused["WWW-Authenticate"]
    code, pkce = login_code(alice)
    assert use(server.redeem(code, pkce, SIGNAPP).json()["access_token"]).status_code == 200
    settings.REQUIRED_ACR = ""
    assert use(by_password()).status_code == 200
