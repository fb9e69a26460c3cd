"""Attacks on the authorization server, row by row (D1 to D17): RFC 9700, RFC 9207, RFC 9449, FAPI 2.0. Rows that
are not here have their tests elsewhere: tests/attacks/04-authorization-server.toml."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F
from django.test import Client

from authz.models import AccessToken, Consent, Grant, PushedRequest
from tests.authz.conftest import GATEWAY, RSSP, SIGNAPP, Flow, Person, Pkce, Server, basic, query

Login = Callable[..., tuple[str, Pkce]]
CALLBACK = "https://elsewhere.example/callback"


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def pass_seconds(seconds: int) -> None:
    """As if the codes were that much older."""
    Grant.objects.update(expires=F("expires") - timedelta(seconds=seconds))
    Grant.objects.exclude(used=None).update(used=F("used") - timedelta(seconds=seconds))


def ask(client_id: str, pkce: Pkce | None, **changes: Any) -> Any:
    """A foreign client's request in the query string."""
    asked = {"response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "scope": "service"}
    asked["state"] = "s"
    if pkce is not None:
        asked |= {"code_challenge": pkce.challenge, "code_challenge_method": "S256"}
    asked |= changes
    return Client().get("/authz/oauth2/authorize", {name: value for name, value in asked.items() if value is not None})


@pytest.mark.parametrize("seconds", [1, 30])
def test_d1_a_code_that_comes_again_ends_what_it_gave(
    server: Server, alice: Person, login_code: Login, seconds: int
) -> None:
    code, pkce = login_code(alice)
    told = server.redeem(code, pkce, SIGNAPP).json()
    pass_seconds(seconds)
    assert error_of(server.redeem(code, pkce, SIGNAPP)) == (400, "invalid_grant")
    assert server.introspect(told["access_token"]) == {"active": False}
    refresh = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert error_of(server.token(refresh, SIGNAPP)) == (400, "invalid_grant")


def test_d2_a_code_is_good_for_a_minute(server: Server, alice: Person, login_code: Login) -> None:
    code, pkce = login_code(alice)
    pass_seconds(61)
    assert error_of(server.redeem(code, pkce, SIGNAPP)) == (400, "invalid_grant")
    assert not AccessToken.objects.exists()


def test_d3_a_code_is_its_client_s_and_its_address_s(
    server: Server, alice: Person, login_code: Login, foreign: tuple[str, str]
) -> None:
    code, pkce = login_code(alice)
    own = settings.LOGIN_REDIRECT_URI
    for client, redirect_uri in ((foreign, own), (GATEWAY, own), (SIGNAPP, own + "/"), (SIGNAPP, CALLBACK)):
        assert error_of(server.redeem(code, pkce, client, redirect_uri=redirect_uri)) == (400, "invalid_grant")
    assert server.redeem(code, pkce, SIGNAPP).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "x" * 42},
    ],
    ids=["no challenge", "plain", "no method", "short challenge"],
)
def test_d4_there_is_no_request_without_pkce(foreign: tuple[str, str], changes: dict[str, Any]) -> None:
    assert query(ask(foreign[0], Pkce(), **changes)["Location"])["error"] == "invalid_request"


def test_d4_there_is_no_token_without_the_verifier(server: Server, alice: Person, login_code: Login) -> None:
    code, pkce = login_code(alice)
    wrong = (None, "", Pkce().verifier, pkce.challenge, pkce.verifier[:42], pkce.verifier + "x" * 66, "ä" * 43)
    for verifier in wrong:
        answer = server.redeem(code, pkce, SIGNAPP, code_verifier=verifier)
        assert answer.status_code == 400, verifier
        assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    # Somebody took the challenge out of the request, and the client does not know (RFC 9700, section 4.8.2).
    Grant.objects.update(code_challenge="")
    assert error_of(server.redeem(code, pkce, SIGNAPP)) == (400, "invalid_grant")
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("response_type", ["token", "id_token", "code id_token", "code token", "none", ""])
def test_d6_there_is_the_code_flow_alone(foreign: tuple[str, str], response_type: str) -> None:
    told = query(ask(foreign[0], Pkce(), response_type=response_type)["Location"])
    assert told["error"] == "unsupported_response_type"


def test_d6_no_grant_passes_by_the_user(server: Server, alice: Person, foreign: tuple[str, str]) -> None:
    password = {"grant_type": "password", "username": alice.email, "password": "correct horse battery staple"}
    assert error_of(server.token(password, foreign)) == (400, "unsupported_grant_type")
    for scope in ("service", "credential", "openid"):
        answer = server.token({"grant_type": "client_credentials", "scope": scope}, foreign)
        assert error_of(answer) == (400, "unauthorized_client")
    assert not AccessToken.objects.exists()


def test_d7_a_token_opens_what_it_is_for_alone(server: Server, alice: Person, login_code: Login) -> None:
    code, pkce = login_code(alice)
    token = server.redeem(code, pkce, SIGNAPP, resource=settings.RSSP_RESOURCE).json()["access_token"]
    assert server.introspect(token, RSSP)["active"]
    assert server.introspect(token, GATEWAY) == {"active": False}
    assert server.introspect(token, SIGNAPP) == {"active": False}
    in_the_address = server.http.get("/authz/oauth2/userinfo", {"access_token": token})
    assert error_of(in_the_address) == (401, "invalid_token")
    in_the_body = server.http.post("/authz/oauth2/userinfo", {"access_token": token})
    assert error_of(in_the_body) == (401, "invalid_token")
    AccessToken.objects.update(expires=F("created"))
    assert server.introspect(token) == {"active": False}
    held = server.http.get("/authz/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert error_of(held) == (401, "invalid_token")


def test_d8_a_code_of_another_s_session_is_worth_nothing_here(
    server: Server, alice: Person, mallory: Person, login_code: Login
) -> None:
    _, alices = login_code(alice)
    injected, _ = login_code(mallory)
    assert error_of(server.redeem(injected, alices, SIGNAPP)) == (400, "invalid_grant")


def test_d10_nobody_consents_by_accident(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    for _ in range(2):
        assert alice.browser.get(location, {"answer": "allow"}, headers={"Sec-Purpose": "prefetch"}).status_code == 200
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = alice.browser.cookies
    assert strict.post(location, {"answer": "decline"}).status_code == 403
    assert Consent.objects.get().state == Consent.State.PENDING
    # Each approval is asked for, and no client can ask that it is not.
    assert flow.open(alice, Pkce()) != location
    pushed = flow.server.push(flow.make(Pkce(), prompt="none"))
    arrived = alice.browser.get(
        "/authz/oauth2/authorize", {"client_id": GATEWAY[0], "request_uri": pushed.json()["request_uri"]}
    )
    assert query(arrived["Location"])["error"] == "consent_required"


def test_d11_a_request_uri_is_good_once_for_its_client_for_its_time(flow: Flow, alice: Person) -> None:
    def push() -> str:
        return str(flow.server.push(flow.make(Pkce())).json()["request_uri"])

    def arrive(request_uri: str, client_id: str = GATEWAY[0], **beside: Any) -> Any:
        asked = {"client_id": client_id, "request_uri": request_uri} | beside
        return alice.browser.get("/authz/oauth2/authorize", asked)

    used = push()
    beside = {"scope": "service", "redirect_uri": CALLBACK, "state": "mine", "prompt": "none"}
    assert arrive(used, **beside)["Location"].startswith("/authz/consents/")
    kept = Consent.objects.get().request
    assert (kept["scopes"], kept["state"]) == (["credential"], "state-1")
    assert kept["redirect_uri"] == settings.APPROVAL_REDIRECT_URI
    others, late = push(), push()
    assert arrive(others, SIGNAPP[0]).status_code == 400
    PushedRequest.objects.update(expires=F("created"))
    for request_uri in (used, late, "urn:ietf:params:oauth:request_uri:x", "https://evil.example/request"):
        refused = arrive(request_uri)
        assert refused.status_code == 400
        assert "Location" not in refused


def test_d13_a_refusal_goes_back_with_state_and_issuer(alice: Person, flow: Flow) -> None:
    alice.log_in()
    told = query(alice.browser.post(flow.open(alice, Pkce()), {"answer": "decline"})["Location"])
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "state-1", settings.ISSUER)
    assert "code" not in told


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_d14_what_is_revoked_is_dead_at_once(server: Server, alice: Person, login_code: Login, kind: str) -> None:
    code, pkce = login_code(alice)
    told = server.redeem(code, pkce, SIGNAPP).json()
    assert server.introspect(told["access_token"])["active"]
    revoked = server.http.post("/authz/oauth2/revoke", {"token": told[kind]}, headers=basic(SIGNAPP))
    assert revoked.status_code == 200
    for caller in (RSSP, GATEWAY):
        assert server.introspect(told["access_token"], caller) == {"active": False}
    if kind == "refresh_token":
        refresh = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
        assert error_of(server.token(refresh, SIGNAPP)) == (400, "invalid_grant")


def test_d15_nothing_secret_is_left_on_the_way(alice: Person, flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    alice.log_in()
    pkce = Pkce()
    location = flow.open(alice, pkce)
    page = alice.browser.get(location)
    assert "no-store" in page["Cache-Control"]
    assert page["Referrer-Policy"] in {"no-referrer", "same-origin"}
    answer = alice.approve(location)
    assert "no-store" in answer["Cache-Control"]
    code = query(answer["Location"])["code"]
    redeemed = flow.server.redeem(code, pkce)
    assert redeemed["Cache-Control"] == "no-store"
    token = redeemed.json()["access_token"]
    assert (
        "no-store"
        in flow.server.http.post("/authz/oauth2/introspect", {"token": token}, headers=basic(RSSP))["Cache-Control"]
    )
    for secret in (code, token, pkce.verifier):
        assert secret not in caplog.text
        assert secret not in json.dumps(list(Consent.objects.values()), default=str)


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"],
)
def test_d16_a_login_ends_at_home(alice: Person, address: str) -> None:
    answer = alice.log_in(address)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/authz/")
