"""The authorization endpoint, pushed requests, codes and tokens: what must not work."""

import base64
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from authz.models import AccessToken, Consent, Grant, PushedRequest, RefreshToken
from tests.authz.conftest import (
    CREATION,
    GATEWAY,
    RSSP,
    SIGNAPP,
    Flow,
    Person,
    Pkce,
    Server,
    basic,
    query,
    signing_details,
)

MakeRequest = Callable[..., dict[str, Any]]
LoginCode = Callable[..., tuple[str, Pkce]]
FOREIGN_REDIRECT = "https://elsewhere.example/callback"


def authorize(client: str, pkce: Pkce, /, **changes: Any) -> Any:
    """A foreign client's request in the query string."""
    parameters = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": FOREIGN_REDIRECT,
        "scope": "service",
        "state": "s",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    } | changes
    return Client().get("/authz/oauth2/authorize", {k: v for k, v in parameters.items() if v is not None})


# --- the redirect URI ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "redirect_uri",
    [
        FOREIGN_REDIRECT + "/more",
        FOREIGN_REDIRECT + "?a=b",
        FOREIGN_REDIRECT + "#fragment",
        FOREIGN_REDIRECT + "/",
        FOREIGN_REDIRECT + "/../callback",
        "https://elsewhere.example/Callback",
        "https://ELSEWHERE.example/callback",
        "https://elsewhere.example:8443/callback",
        "https://elsewhere.example:443/callback",
        "http://elsewhere.example/callback",
        "https://elsewhere.example./callback",
        "https://elsewhere.example@evil.example/callback",
        "https://evil.example/https://elsewhere.example/callback",
        "https://elsewhere.example.evil.example/callback",
        "https://еlsewhere.example/callback",
        "//elsewhere.example/callback",
        "javascript:alert(1)",
        "",
    ],
)
def test_an_address_that_is_not_registered_to_the_letter_is_never_redirected_to(
    foreign: tuple[str, str], redirect_uri: str
) -> None:
    response = authorize(foreign[0], Pkce(), redirect_uri=redirect_uri)
    assert response.status_code == 400
    assert "Location" not in response
    assert "cannot be trusted" in response.content.decode()


def test_a_redirect_uri_or_client_named_twice_is_never_redirected_to(foreign: tuple[str, str]) -> None:
    for twice in ({"redirect_uri": [FOREIGN_REDIRECT] * 2}, {"client_id": [foreign[0]] * 2}):
        assert authorize(foreign[0], Pkce(), **twice).status_code == 400


def test_an_unknown_client_gets_a_page_and_no_redirect() -> None:
    for client_id in ("nobody", "", "nobody\x00", None):
        response = authorize(client_id or "", Pkce(), client_id=client_id)
        assert response.status_code == 400
        assert "Location" not in response


def test_rssp_has_no_users_to_ask() -> None:
    assert authorize(RSSP[0], Pkce(), redirect_uri=None).status_code == 400


def test_a_nul_character_is_refused_wherever_it_stands(
    server: Server, credential_request: MakeRequest, foreign: tuple[str, str]
) -> None:
    for changes in ({"state": "\0"}, {"nonce": "\0"}, {"client_id": "\0"}, {"x\0": "y"}):
        assert authorize(foreign[0], Pkce(), **changes).status_code == 400
    assert server.push(credential_request(Pkce(), state="\0")).status_code == 400
    form = {"grant_type": "authorization_code", "code": "\0", "code_verifier": "x" * 43, "client_id": "\0"}
    assert server.token(form, None).status_code == 400
    assert server.token({"grant_type": "refresh_token", "refresh_token": "x"}, ("\0", "x")).status_code == 401


# --- what is asked for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "x" * 44}, "invalid_request"),
        ({"code_challenge": "=" * 43}, "invalid_request"),
        ({"request": "eyJ"}, "invalid_request"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "service credential"}, "invalid_scope"),
        ({"scope": "credential-creation"}, "invalid_scope"),
        ({"scope": "credential"}, "invalid_authorization_details"),
        ({"scope": ["service", "service"]}, "invalid_request"),
        ({"state": ["a", "b"]}, "invalid_request"),
        ({"nonce": "x" * 256}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"resource": "https://evil.example/csc"}, "invalid_target"),
        ({"resource": [settings.RSSP_RESOURCE, settings.GATEWAY_RESOURCE]}, "invalid_target"),
        ({"authorization_details": json.dumps(signing_details())}, "invalid_scope"),
        ({"scope": None, "authorization_details": "[]"}, "invalid_authorization_details"),
        (
            {"scope": None, "authorization_details": json.dumps(signing_details()), "credentialID": "x"},
            "invalid_request",
        ),
        (
            {
                "scope": None,
                "authorization_details": json.dumps(signing_details()),
                "resource": settings.GATEWAY_RESOURCE,
            },
            "invalid_target",
        ),
    ],
)
def test_a_request_that_is_not_allowed_goes_back_with_error_state_and_issuer(
    foreign: tuple[str, str], changes: dict[str, Any], error: str
) -> None:
    response = authorize(foreign[0], Pkce(), **changes)
    assert response.status_code == 302
    assert response["Location"].startswith(FOREIGN_REDIRECT + "?")
    told = query(response["Location"])
    assert told["error"] == error
    assert told["iss"] == settings.ISSUER
    assert told["state"] in {"s", "b"}
    assert not Consent.objects.exists()


@pytest.mark.parametrize("asks", [{"scope": "service"}, {"scope": None, "authorization_details": signing_details()}])
def test_prompt_none_never_passes_by_a_consent(alice: Person, foreign: tuple[str, str], asks: dict[str, Any]) -> None:
    alice.log_in()
    if asks.get("authorization_details"):
        asks = asks | {"authorization_details": json.dumps(asks["authorization_details"])}
    parameters = {
        "response_type": "code",
        "client_id": foreign[0],
        "prompt": "none",
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
    } | {name: value for name, value in asks.items() if value is not None}
    response = alice.browser.get("/authz/oauth2/authorize", parameters)
    assert query(response["Location"])["error"] == "consent_required"


def test_the_authorization_endpoint_answers_get_and_post_alone(foreign: tuple[str, str]) -> None:
    for method in ("head", "put", "delete", "patch", "trace"):
        answer = getattr(Client(), method)("/authz/oauth2/authorize")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, POST")
    # The query string of a form's address is no part of it.
    form = {"response_type": "code", "scope": "service", "state": "s"}
    answer = Client().post(f"/authz/oauth2/authorize?client_id={foreign[0]}", form)
    assert (answer.status_code, "Location" in answer) == (400, False)


# --- pushed requests ----------------------------------------------------------------------------------------


def test_our_own_clients_must_push(alice: Person, credential_request: MakeRequest) -> None:
    parameters = credential_request(Pkce()) | {"client_id": GATEWAY[0]}
    response = alice.browser.get("/authz/oauth2/authorize", parameters)
    assert query(response["Location"])["error"] == "invalid_request"


def test_a_pushed_request_is_kept_for_an_authenticated_client_alone(
    server: Server, credential_request: MakeRequest
) -> None:
    pkce = Pkce()
    for client in ((GATEWAY[0], "wrong"), ("nobody", GATEWAY[1]), (SIGNAPP[0], GATEWAY[1]), (GATEWAY[0], "")):
        refused = server.push(credential_request(pkce), client)
        assert refused.status_code == 401
        assert refused.json()["error"] == "invalid_client"
        assert "WWW-Authenticate" in refused
    assert server.push(credential_request(pkce) | {"client_id": SIGNAPP[0]}).status_code == 401
    anonymous = server.http.post("/authz/oauth2/pushed_authorize", credential_request(pkce) | {"client_id": GATEWAY[0]})
    assert anonymous.status_code == 401
    assert not PushedRequest.objects.exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"redirect_uri": settings.LOGIN_REDIRECT_URI}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"authorization_details": None, "scope": "service"}, "invalid_scope"),
        ({"authorization_details": "["}, "invalid_authorization_details"),
    ],
)
def test_a_push_is_judged_like_any_request(
    server: Server, credential_request: MakeRequest, changes: dict[str, Any], error: str
) -> None:
    refused = server.push(credential_request(Pkce(), **changes))
    assert refused.status_code == 400
    assert refused.json()["error"] == error
    assert not PushedRequest.objects.exists()


def test_a_request_uri_works_once_for_its_client_within_its_time(
    alice: Person, server: Server, credential_request: MakeRequest, foreign: tuple[str, str]
) -> None:
    def arrive(client_id: str, request_uri: str) -> Any:
        return alice.browser.get("/authz/oauth2/authorize", {"client_id": client_id, "request_uri": request_uri})

    request_uri = server.push(credential_request(Pkce())).json()["request_uri"]
    assert arrive(foreign[0], request_uri).status_code == 400
    assert arrive(GATEWAY[0], request_uri + "x").status_code == 400
    assert arrive(GATEWAY[0], request_uri).status_code == 302
    again = arrive(GATEWAY[0], request_uri)
    assert again.status_code == 400
    assert "Location" not in again
    late = server.push(credential_request(Pkce())).json()["request_uri"]
    PushedRequest.objects.filter(used=None).update(expires=timezone.now())
    assert arrive(GATEWAY[0], late).status_code == 400


def test_parameters_beside_a_request_uri_change_nothing(
    alice: Person, server: Server, credential_request: MakeRequest
) -> None:
    request_uri = server.push(credential_request(Pkce())).json()["request_uri"]
    alice.browser.get(
        "/authz/oauth2/authorize",
        {
            "client_id": GATEWAY[0],
            "request_uri": request_uri,
            "state": "mallory",
            "redirect_uri": "https://evil.example/",
            "authorization_details": json.dumps(signing_details("Evil.pdf")),
        },
    )
    kept = Consent.objects.get()
    assert kept.request["state"] == "state-1"
    assert kept.request["redirect_uri"] == settings.APPROVAL_REDIRECT_URI
    assert kept.details[0]["documentDigests"][0]["label"] == "Lease.pdf"


def test_client_secrets_are_not_kept_with_a_pushed_request(server: Server, credential_request: MakeRequest) -> None:
    form = credential_request(Pkce()) | {"client_id": GATEWAY[0], "client_secret": GATEWAY[1]}
    assert server.http.post("/authz/oauth2/pushed_authorize", form).status_code == 201
    assert GATEWAY[1] not in json.dumps(PushedRequest.objects.get().parameters)


# --- codes --------------------------------------------------------------------------------------------------


def test_a_replayed_code_is_refused_and_ends_what_it_gave(
    alice: Person, flow: Flow, server: Server, login_code: LoginCode
) -> None:
    code, pkce = login_code(alice)
    first = server.redeem(code, pkce, SIGNAPP).json()
    assert server.introspect(first["access_token"])["active"]
    again = server.redeem(code, pkce, SIGNAPP)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert server.introspect(first["access_token"]) == {"active": False}
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert server.token(refresh, SIGNAPP).json()["error"] == "invalid_grant"


def test_a_replay_thirty_seconds_later_ends_the_approval_too(alice: Person, flow: Flow, server: Server) -> None:
    alice.log_in()
    pkce = Pkce()
    code = flow.code(alice, pkce)
    token = server.redeem(code, pkce).json()["access_token"]
    Grant.objects.update(expires=timezone.now() - timedelta(seconds=30))
    assert server.redeem(code, pkce).json()["error"] == "invalid_grant"
    assert server.introspect(token) == {"active": False}


def test_a_code_is_dead_after_a_minute(alice: Person, flow: Flow, server: Server) -> None:
    alice.log_in()
    pkce = Pkce()
    code = flow.code(alice, pkce)
    assert Grant.objects.get().expires <= timezone.now() + timedelta(seconds=60)
    Grant.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert server.redeem(code, pkce).json()["error"] == "invalid_grant"


def test_a_code_is_worth_nothing_to_another_client(
    alice: Person, flow: Flow, server: Server, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    pkce = Pkce()
    code = flow.code(alice, pkce)
    stolen = server.redeem(code, pkce, foreign, redirect_uri=settings.APPROVAL_REDIRECT_URI)
    assert stolen.json()["error"] == "invalid_grant"
    assert server.redeem(code, pkce, SIGNAPP).json()["error"] == "invalid_grant"
    assert server.redeem(code, pkce).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": settings.LOGIN_REDIRECT_URI},
        {"redirect_uri": settings.APPROVAL_REDIRECT_URI + "?x"},
        {"code_verifier": None},
        {"code_verifier": "x" * 43},
        {"code_verifier": "x" * 42},
        {"code_verifier": "x" * 129},
        {"code_verifier": ""},
        {"code": "unknown"},
        {"code": None},
        {"grant_type": "password"},
        {"grant_type": "client_credentials"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
        {"grant_type": "implicit"},
        {"grant_type": None},
        {"resource": settings.GATEWAY_RESOURCE},
        {"authorization_details": json.dumps(signing_details("Other.pdf"))},
        {"authorization_details": "["},
        {"client_id": SIGNAPP[0]},
        {"code_verifier": ["a" * 43, "b" * 43]},
    ],
)
def test_a_code_is_not_redeemed_on_other_terms(
    alice: Person, flow: Flow, server: Server, changes: dict[str, Any]
) -> None:
    alice.log_in()
    pkce = Pkce()
    refused = server.redeem(flow.code(alice, pkce), pkce, **changes)
    assert refused.status_code in {400, 401}
    assert refused.json()["error"] in {
        "invalid_grant",
        "invalid_request",
        "invalid_client",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
    }
    assert not AccessToken.objects.exists()


def test_the_challenge_itself_is_not_a_verifier(alice: Person, flow: Flow, server: Server) -> None:
    alice.log_in()
    pkce = Pkce()
    refused = server.redeem(flow.code(alice, pkce), pkce, code_verifier=pkce.challenge)
    assert refused.json()["error"] == "invalid_grant"


def test_repeated_authorization_details_are_accepted_when_they_are_the_granted_ones(
    alice: Person, flow: Flow, server: Server
) -> None:
    alice.log_in()
    pkce = Pkce()
    same = json.dumps(signing_details())
    assert server.redeem(flow.code(alice, pkce), pkce, authorization_details=same).status_code == 200


@pytest.mark.parametrize("client", [(GATEWAY[0], "wrong"), (GATEWAY[0], ""), ("nobody", "x"), (RSSP[0], RSSP[1])])
def test_a_client_that_proves_nothing_gets_nothing(
    alice: Person, flow: Flow, server: Server, client: tuple[str, str]
) -> None:
    alice.log_in()
    pkce = Pkce()
    refused = server.redeem(flow.code(alice, pkce), pkce, client, redirect_uri=settings.APPROVAL_REDIRECT_URI)
    assert refused.status_code in {400, 401}
    assert refused["Cache-Control"] == "no-store"
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"nocolon").decode()])
def test_a_malformed_client_authentication_is_401(server: Server, header: str) -> None:
    response = server.http.post("/authz/oauth2/introspect", {"token": "x"}, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json()["error"] == "invalid_client"


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_fifty_parallel_redemptions_of_one_code_give_one_token(alice: Person, flow: Flow, server: Server) -> None:
    alice.log_in()
    pkce = Pkce()
    code = flow.code(alice, pkce)
    answers: list[Any] = []
    gate = threading.Barrier(10)

    def redeem() -> None:
        try:
            gate.wait()
            answers.extend(Server().redeem(code, pkce) for _ in range(5))
        finally:
            connection.close()

    threads = [threading.Thread(target=redeem) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(answers) == 50
    assert len(won) == 1
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    # The replays were noticed, and what the winner got is dead.
    assert server.introspect(won[0].json()["access_token"]) == {"active": False}


# --- refresh tokens -----------------------------------------------------------------------------------------


def test_a_refresh_token_used_twice_ends_the_family(alice: Person, server: Server, login_code: LoginCode) -> None:
    code, pkce = login_code(alice)
    first = server.redeem(code, pkce, SIGNAPP).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = server.token(form, SIGNAPP).json()
    assert server.token(form, SIGNAPP).json()["error"] == "invalid_grant"
    assert server.introspect(second["access_token"]) == {"active": False}
    assert server.token(form | {"refresh_token": second["refresh_token"]}, SIGNAPP).json()["error"] == "invalid_grant"


def test_a_refresh_token_is_bound_to_client_scope_audience_and_time(
    alice: Person, server: Server, login_code: LoginCode, foreign: tuple[str, str]
) -> None:
    code, pkce = login_code(alice)
    first = server.redeem(code, pkce, SIGNAPP).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert server.token(form, foreign).json()["error"] == "invalid_grant"
    assert server.token(form | {"scope": "service credential"}, SIGNAPP).json()["error"] == "invalid_scope"
    assert server.token(form | {"resource": "https://evil.example"}, SIGNAPP).json()["error"] == "invalid_target"
    RefreshToken.objects.update(expires=timezone.now())
    assert server.token(form, SIGNAPP).json()["error"] == "invalid_grant"


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_twenty_parallel_refreshes_have_one_winner(alice: Person, server: Server, login_code: LoginCode) -> None:
    code, pkce = login_code(alice)
    first = server.redeem(code, pkce, SIGNAPP).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    answers: list[int] = []
    gate = threading.Barrier(10)

    def refresh() -> None:
        try:
            gate.wait()
            answers.extend(Server().token(form, SIGNAPP).status_code for _ in range(2))
        finally:
            connection.close()

    threads = [threading.Thread(target=refresh) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [400] * 19


# --- introspection, revocation, user info -------------------------------------------------------------------


def test_a_token_is_inactive_to_whoever_is_not_its_audience(
    alice: Person, flow: Flow, server: Server, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    token = flow.token(alice)["access_token"]
    for client in (GATEWAY, SIGNAPP, foreign):
        assert server.introspect(token, client) == {"active": False}
    assert server.introspect(token, RSSP)["active"]


def test_introspection_is_for_authenticated_clients_and_post_alone(server: Server) -> None:
    assert server.http.post("/authz/oauth2/introspect", {"token": "x"}).status_code == 401
    assert server.http.get("/authz/oauth2/introspect", {"token": "x"}, headers=basic(RSSP)).status_code == 405
    assert server.http.post("/authz/oauth2/introspect", {}, headers=basic(RSSP)).status_code == 400
    assert server.introspect("unknown") == {"active": False}


def test_a_public_client_may_not_introspect(server: Server) -> None:
    from authz.services.oauth_clients import create_client

    public, _ = create_client(name="App", redirect_uris=["https://app.example/cb"], is_public=True)
    response = server.http.post("/authz/oauth2/introspect", {"token": "x", "client_id": public.client_id})
    assert response.status_code == 401


def test_an_expired_token_or_one_of_a_closed_account_is_inactive(alice: Person, flow: Flow, server: Server) -> None:
    alice.log_in()
    token = flow.token(alice)["access_token"]
    user = alice.user
    user.is_active = False
    user.save()
    assert server.introspect(token) == {"active": False}
    user.is_active = True
    user.save()
    AccessToken.objects.update(expires=timezone.now())
    assert server.introspect(token) == {"active": False}


def test_a_credential_token_lives_five_minutes_at_most_and_never_longer_than_the_approval(
    alice: Person, flow: Flow, server: Server
) -> None:
    alice.log_in()
    pkce = Pkce()
    code = flow.code(alice, pkce)
    Consent.objects.update(approval_expires=timezone.now() + timedelta(seconds=40))
    token = server.redeem(code, pkce).json()
    assert token["expires_in"] <= 40


def test_a_revoked_token_is_dead_at_once_and_revocation_tells_nothing(
    alice: Person, flow: Flow, server: Server, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    token = flow.token(alice)["access_token"]

    def revoke(value: str, client: tuple[str, str]) -> int:
        return server.http.post("/authz/oauth2/revoke", {"token": value}, headers=basic(client)).status_code

    assert revoke(token, foreign) == 200
    assert server.introspect(token)["active"]
    assert revoke("unknown", GATEWAY) == 200
    assert revoke(token, (GATEWAY[0], "wrong")) == 401
    assert revoke(token, GATEWAY) == 200
    assert server.introspect(token) == {"active": False}


def test_a_revoked_refresh_token_takes_its_access_token_along(
    alice: Person, server: Server, login_code: LoginCode
) -> None:
    code, pkce = login_code(alice)
    first = server.redeem(code, pkce, SIGNAPP).json()
    server.http.post("/authz/oauth2/revoke", {"token": first["refresh_token"]}, headers=basic(SIGNAPP))
    assert server.introspect(first["access_token"]) == {"active": False}
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert server.token(refresh, SIGNAPP).json()["error"] == "invalid_grant"


def test_user_info_takes_a_token_from_the_header_alone(
    alice: Person, flow: Flow, server: Server, login_code: LoginCode
) -> None:
    code, pkce = login_code(alice)
    token = server.redeem(code, pkce, SIGNAPP).json()["access_token"]
    credential = flow.token(alice)["access_token"]
    for response in (
        server.http.get("/authz/oauth2/userinfo", {"access_token": token}),
        server.http.post("/authz/oauth2/userinfo", {"access_token": token}),
        server.http.get("/authz/oauth2/userinfo"),
        server.http.get("/authz/oauth2/userinfo", headers={"Authorization": "Bearer unknown"}),
        server.http.get("/authz/oauth2/userinfo", headers={"Authorization": f"Bearer {credential}"}),
    ):
        assert response.status_code == 401
        assert "Bearer" in response["WWW-Authenticate"]


def test_nothing_that_opens_anything_is_kept_in_the_clear(
    alice: Person, server: Server, login_code: LoginCode, flow: Flow
) -> None:
    code, pkce = login_code(alice)
    tokens = server.redeem(code, pkce, SIGNAPP).json()
    credential = flow.token(alice, CREATION)["access_token"]
    rows = [
        json.dumps(list(model.objects.values()), default=str)
        for model in (AccessToken, RefreshToken, Grant, PushedRequest, Consent)
    ]
    from authz.models import Application, Session

    rows += [json.dumps(list(model.objects.values()), default=str) for model in (Application, Session)]
    cookie = alice.browser.cookies["paraph_authz"].value
    for secret in (code, tokens["access_token"], tokens["refresh_token"], credential, GATEWAY[1], cookie):
        assert all(secret not in text for text in rows)
