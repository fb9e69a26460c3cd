"""auth/login and auth/revoke of the CSC API: a password alone, what it opens, and how tokens end."""

import base64
import json
import time
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from authz.models import AccessToken, Application, RefreshToken, User
from authz.services import oauth_clients, throttling
from tests.authz.conftest import (
    GATEWAY,
    PASSWORD,
    RSSP,
    SIGNAPP,
    Flow,
    Person,
    Server,
)
from tests.authz.test_out_of_band import race

REQUIRED = (
    "The request is missing a REQUIRED parameter, includes an invalid parameter value, includes a parameter more than "
    "once, or is otherwise malformed."
)
MALFORMED = REQUIRED.replace("REQUIRED", "required")
UNFIT = (400, "authentication_error", "An error occurred during authentication process")
both_versions = pytest.mark.parametrize("version", [1, 2])


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def call(method: str, body: Any, authorization: str | None, *, version: int = 2, address: str = "192.0.2.1") -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    raw = body if isinstance(body, bytes) else json.dumps(body)
    browser = Client(enforce_csrf_checks=True, REMOTE_ADDR=address)
    return browser.post(f"/csc/v{version}/auth/{method}", raw, "application/json", headers=headers)


def log_in(person: Person, *, version: int = 2, **body: Any) -> dict[str, Any]:
    answer = call("login", body, basic(person.email, PASSWORD), version=version)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def refused(answer: Any) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error"], body["error_description"]


@both_versions
def test_a_password_opens_a_short_service_token_for_rssp_and_says_that_it_is_no_more(
    alice: Person, server: Server, version: int
) -> None:
    told = log_in(alice, version=version)
    assert set(told) == {"access_token", "expires_in"}
    assert told["expires_in"] == 900
    found = server.introspect(told["access_token"])
    assert (found["active"], found["sub"], found["scope"]) == (True, str(alice.user.sub), "service")
    assert (found["client_id"], found["aud"]) == ("paraph-csc-login", [django_settings.RSSP_RESOURCE])
    assert (found["amr"], found["acr"]) == (["pwd"], "aal1")
    assert not {"gty", "authorization_details", "paraph_approval"} & set(found)
    assert server.introspect(told["access_token"], GATEWAY) == {"active": False}
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    assert server.http.get("/authz/oauth2/userinfo", headers=bearer).status_code == 401


def test_the_client_of_a_password_is_made_where_nobody_made_it_before(alice: Person, server: Server) -> None:
    Application.objects.filter(client_id=django_settings.CSC_LOGIN_CLIENT_ID).delete()
    assert server.introspect(log_in(alice)["access_token"])["client_id"] == "paraph-csc-login"


def test_a_password_may_hold_colons_and_any_letter(alice: Person) -> None:
    password = "pass:wörd: ✍"
    user = alice.user
    user.set_password(password)
    user.save()
    assert call("login", {}, basic(alice.email.upper(), password)).status_code == 200


@both_versions
def test_a_remembered_login_is_renewed_and_its_old_tokens_die(alice: Person, server: Server, version: int) -> None:
    first = log_in(alice, version=version, rememberMe=True)
    second = call("login", {"refresh_token": first["refresh_token"]}, None, version=version).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert not server.introspect(first["access_token"])["active"]
    found = server.introspect(second["access_token"])
    assert (found["active"], found["amr"], found["client_id"]) == (True, ["pwd"], "paraph-csc-login")


def test_a_refresh_token_that_is_used_twice_ends_all_that_the_login_gave(alice: Person, server: Server) -> None:
    first = log_in(alice, rememberMe=True)
    other = log_in(alice, rememberMe=True)
    second = call("login", {"refresh_token": first["refresh_token"]}, None).json()
    again = call("login", {"refresh_token": first["refresh_token"]}, None)
    assert refused(again) == (400, "invalid_request", "Invalid refresh_token")
    assert not server.introspect(second["access_token"])["active"]
    assert refused(call("login", {"refresh_token": second["refresh_token"]}, None))[2] == "Invalid refresh_token"
    assert call("login", {"refresh_token": other["refresh_token"]}, None).status_code == 200


LOGIN_MISTAKES: list[tuple[Any, str | None, tuple[int, str, str]]] = [
    ({}, None, (401, "invalid_request", "Malformed authentication parameter.")),
    ({}, "Bearer dXNlcjpwYXNz", (401, "invalid_request", "Malformed authentication parameter.")),
    ({}, "Digest username=a", (401, "invalid_request", "Malformed authentication parameter.")),
    ({}, "Basic", (400, "invalid_request", "Malformed username-password.")),
    ({}, "Basic @@@", (400, "invalid_request", "Malformed username-password.")),
    ({}, "Basic dXNlcg==", (400, "invalid_request", "Malformed username-password.")),
    ({}, "Basic /////w==", (400, "invalid_request", "Malformed username-password.")),
    ({}, basic("", "x"), (400, "invalid_request", "Malformed username-password.")),
    ({}, basic("a\0", "x"), (400, "invalid_request", "Malformed username-password.")),
    ({"refresh_token": 1}, None, (400, "invalid_request", "Invalid string parameter: refresh_token")),
    ({"refresh_token": ""}, None, (400, "invalid_request", "Invalid string parameter: refresh_token")),
    ({"refresh_token": "a b"}, None, (400, "invalid_request", "Invalid string parameter: refresh_token")),
    ({"refresh_token": "x" * 5000}, None, (400, "invalid_request", "Invalid string parameter: refresh_token")),
    ({"refresh_token": "bm9ib2R5"}, None, (400, "invalid_request", "Invalid refresh_token")),
    ({"refresh_token": "bm9ib2R5"}, basic("a", "b"), (400, "invalid_request", MALFORMED)),
    ({"rememberMe": "true"}, basic("a", "b"), (400, "invalid_request", "Invalid parameter rememberMe")),
    ({"clientData": 1}, basic("a", "b"), (400, "invalid_request", "Invalid parameter clientData")),
    ([], basic("a", "b"), (400, "invalid_request", MALFORMED)),
    (b"", basic("a", "b"), (400, "invalid_request", MALFORMED)),
    (b'{"a":1,"a":2}', basic("a", "b"), (400, "invalid_request", MALFORMED)),
    (b"\xff", basic("a", "b"), (400, "invalid_request", MALFORMED)),
    (b'{"a":"' + b"x" * 70_000 + b'"}', basic("a", "b"), (413, "invalid_request", "A body has at most 65536 bytes.")),
    ({}, basic("nobody@example.org", PASSWORD), UNFIT),
    ({}, basic("alice@example.org", "wrong"), UNFIT),
    ({}, basic("alice@example.org", ""), UNFIT),
    ({}, basic("alice@example.org", PASSWORD + " "), UNFIT),
]


@both_versions
@pytest.mark.parametrize(("body", "authorization", "expected"), LOGIN_MISTAKES)
def test_each_mistake_of_login_has_its_sentence(
    alice: Person, body: Any, authorization: str | None, expected: tuple[int, str, str], version: int
) -> None:
    answer = call("login", body, authorization, version=version)
    assert refused(answer) == expected
    assert answer["Cache-Control"] == "no-store"
    assert answer.has_header("WWW-Authenticate") == (answer.status_code == 401)
    assert not AccessToken.objects.exists()


def test_a_closed_account_and_an_operator_without_password_do_not_log_in(alice: Person, bob: Person) -> None:
    User.objects.filter(email=alice.email).update(is_active=False)
    assert refused(call("login", {}, basic(alice.email, PASSWORD))) == UNFIT
    user = bob.user
    user.set_unusable_password()
    user.save()
    assert refused(call("login", {}, basic(bob.email, ""))) == UNFIT


def test_an_unknown_user_takes_as_long_as_a_wrong_password(alice: Person) -> None:
    def seconds(user: str, address: str) -> float:
        best = 9.0
        for _ in range(4):
            began = time.perf_counter()
            assert refused(call("login", {}, basic(user, "wrong"), address=address)) == UNFIT
            best = min(best, time.perf_counter() - began)
        return best

    known, unknown = seconds(alice.email, "192.0.2.2"), seconds("nobody@example.org", "192.0.2.3")
    assert 0.5 < unknown / known < 2


def test_guesses_are_counted_by_account_and_address_together_with_those_at_the_login_page(alice: Person) -> None:
    for _ in range(throttling.ACCOUNT_AT_ADDRESS.attempts):
        assert refused(call("login", {}, basic(alice.email, "wrong"))) == UNFIT
    full = call("login", {}, basic(alice.email, PASSWORD))
    assert full.status_code == 429
    assert int(full["Retry-After"]) > 0
    assert (
        alice.browser.post(
            "/authz/login", {"email": alice.email, "password": PASSWORD}, REMOTE_ADDR="192.0.2.1"
        ).status_code
        == 429
    )
    assert call("login", {}, basic(alice.email, PASSWORD), address="192.0.2.9").status_code == 200


def test_the_switch_turns_it_off_and_leaves_revocation(alice: Person, settings: Any) -> None:
    token = log_in(alice)["access_token"]
    settings.CSC_LOGIN = False
    for version in (1, 2):
        answer = call("login", {}, basic(alice.email, PASSWORD), version=version)
        assert (answer.status_code, answer.json()["error"]) == (501, "not_implemented")
    assert call("revoke", {"token": token}, f"Bearer {token}").status_code == 204


@pytest.mark.parametrize("method", ["login", "revoke"])
def test_other_http_methods_are_refused(method: str) -> None:
    for verb in ("get", "put", "delete"):
        answer = getattr(Client(), verb)(f"/csc/v2/auth/{method}")
        assert (answer.status_code, answer["Allow"], answer["Content-Type"]) == (405, "POST", "application/json")


def test_the_built_in_client_is_nobody_s_to_use(alice: Person, server: Server) -> None:
    told = log_in(alice, rememberMe=True)
    client = django_settings.CSC_LOGIN_CLIENT_ID
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    for secret in ("", "x" * 43, "sha256$"):
        assert server.token(form, (client, secret)).status_code == 401
        assert server.token(form | {"client_id": client, "client_secret": secret}, None).status_code in {400, 401}
    assert server.token(form | {"client_id": client}, None).status_code in {400, 401}
    for other in (SIGNAPP, GATEWAY, RSSP):
        assert server.token(form, other).status_code in {400, 401}
    assert server.token({"grant_type": "client_credentials", "client_id": client}, None).status_code in {400, 401}
    asked = {"response_type": "code", "client_id": client, "scope": "credential"}
    assert alice.browser.get("/authz/oauth2/authorize", asked).status_code == 400
    assert call("login", {"refresh_token": told["refresh_token"]}, None).status_code == 200
    oauth_clients.sync_clients()
    assert Application.objects.get(client_id=client).client_secret == ""


def test_tokens_of_other_clients_are_not_refreshed_here(alice: Person, server: Server, login_code: Any) -> None:
    code, pkce = login_code(alice)
    told = server.redeem(code, pkce, SIGNAPP).json()
    assert refused(call("login", {"refresh_token": told["refresh_token"]}, None))[2] == "Invalid refresh_token"
    assert server.introspect(told["access_token"])["active"]


# --- auth/revoke ------------------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token"])
def test_an_access_token_ends_at_once_and_leaves_the_refresh_token(
    alice: Person, server: Server, version: int, hint: str | None
) -> None:
    told = log_in(alice, rememberMe=True)
    body = {"token": told["access_token"], **({} if hint is None else {"token_type_hint": hint})}
    answer = call("revoke", body, f"Bearer {told['access_token']}", version=version)
    assert (answer.status_code, answer.content) == (204, b"")
    assert server.introspect(told["access_token"]) == {"active": False}
    assert call("login", {"refresh_token": told["refresh_token"]}, None).status_code == 200


@both_versions
def test_a_refresh_token_ends_with_its_access_tokens(alice: Person, server: Server, version: int) -> None:
    told, other = log_in(alice, rememberMe=True), log_in(alice)
    body = {"token": told["refresh_token"], "token_type_hint": "access_token"}
    assert call("revoke", body, f"Bearer {told['access_token']}", version=version).status_code == 204
    assert server.introspect(told["access_token"]) == {"active": False}
    assert refused(call("login", {"refresh_token": told["refresh_token"]}, None))[2] == "Invalid refresh_token"
    assert server.introspect(other["access_token"])["active"]


def test_what_oauth_issued_is_revoked_here_too(alice: Person, server: Server, login_code: Any, flow: Flow) -> None:
    code, pkce = login_code(alice)
    told = server.redeem(code, pkce, SIGNAPP).json()
    bearer = f"Bearer {told['access_token']}"
    assert call("revoke", {"token": told["refresh_token"]}, bearer).status_code == 204
    assert server.introspect(told["access_token"]) == {"active": False}
    sad = flow.token(alice)["access_token"]
    assert call("revoke", {"token": sad}, f"Bearer {sad}").status_code == 204
    assert server.introspect(sad) == {"active": False}


def test_a_client_s_own_token_is_revoked_by_that_client(server: Server) -> None:
    application, secret = oauth_clients.create_client(
        name="Invoices", redirect_uris=[], is_public=False, may_act_alone=True
    )
    tokens = [
        server.token({"grant_type": "client_credentials"}, (application.client_id, secret)).json()["access_token"]
        for _ in range(2)
    ]
    assert call("revoke", {"token": tokens[0]}, f"Bearer {tokens[1]}").status_code == 204
    assert server.introspect(tokens[0]) == {"active": False}


def test_nobody_else_s_token_is_revoked(alice: Person, bob: Person, server: Server, login_code: Any) -> None:
    hers, his = log_in(alice, rememberMe=True), log_in(bob)
    code, pkce = login_code(alice)
    at_another_client = server.redeem(code, pkce, SIGNAPP).json()
    bearers = (his["access_token"], at_another_client["access_token"])
    for bearer in bearers:
        for token in (hers["access_token"], hers["refresh_token"]):
            answer = call("revoke", {"token": token}, f"Bearer {bearer}")
            assert refused(answer) == (400, "invalid_request", "Invalid string parameter token")
    assert server.introspect(hers["access_token"])["active"]
    assert call("login", {"refresh_token": hers["refresh_token"]}, None).status_code == 200


REVOKE_MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, "Missing (or invalid type) string parameter token"),
    ({"token": 1}, "Missing (or invalid type) string parameter token"),
    ({"token": None}, "Missing (or invalid type) string parameter token"),
    ({"token": ""}, "Missing (or invalid type) string parameter token"),
    ({"token": "x", "token_type_hint": "id_token"}, "Invalid string parameter token_type_hint"),
    ({"token": "x", "token_type_hint": 1}, "Invalid string parameter token_type_hint"),
    ({"token": "x", "token_type_hint": ["access_token"]}, "Invalid string parameter token_type_hint"),
    ({"token": "unknown"}, "Invalid string parameter token"),
    ({"token": "a b"}, "Invalid string parameter token"),
    ({"token": "\0"}, MALFORMED),
    ({"token": "\ud800"}, MALFORMED),
    ({"token": "x", "clientData": {}}, "Invalid parameter clientData"),
]


@both_versions
@pytest.mark.parametrize(("body", "sentence"), REVOKE_MISTAKES)
def test_each_mistake_of_revoke_has_its_sentence(
    alice: Person, server: Server, body: dict[str, Any], sentence: str, version: int
) -> None:
    token = log_in(alice)["access_token"]
    answer = call("revoke", body, f"Bearer {token}", version=version)
    assert refused(answer) == (400, "invalid_request", sentence)
    assert server.introspect(token)["active"]


def test_who_calls_revoke_brings_a_live_token_for_this_service(alice: Person, server: Server) -> None:
    told = log_in(alice)
    body = {"token": told["access_token"]}
    for header in (None, "", "Bearer", "Bearer a b", basic(alice.email, PASSWORD)):
        assert refused(call("revoke", body, header, version=1)) == (400, "invalid_request", REQUIRED)
        answer = call("revoke", body, header)
        assert refused(answer) == (400, "invalid_request", "Malformed authorization header.")
    answer = call("revoke", body, "Bearer unknown")
    assert refused(answer)[:2] == (401, "invalid_token")
    assert "Bearer" in answer["WWW-Authenticate"]
    AccessToken.objects.update(resource=[django_settings.GATEWAY_RESOURCE])
    assert call("revoke", body, f"Bearer {told['access_token']}").status_code == 401


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_of_parallel_renewals_one_wins_and_then_all_end(alice: Person, server: Server) -> None:
    told = log_in(alice, rememberMe=True)
    answers = race(8, lambda: call("login", {"refresh_token": told["refresh_token"]}, None))
    assert sum(answer.status_code == 200 for answer in answers) <= 1
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()


@pytest.mark.django_db(databases=["default"], transaction=True)
@pytest.mark.parametrize("turn", range(4))
def test_a_renewal_beside_a_revocation_leaves_no_live_token(alice: Person, turn: int) -> None:
    told, bearer = log_in(alice, rememberMe=True), log_in(alice)["access_token"]
    calls = [
        ("login", {"refresh_token": told["refresh_token"]}, None),
        ("revoke", {"token": told["refresh_token"]}, f"Bearer {bearer}"),
    ]
    race(2, lambda: call(*calls.pop()))
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert AccessToken.objects.count() == 1
