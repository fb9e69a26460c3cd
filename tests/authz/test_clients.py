"""Kinds of clients, and that every error has its answer."""

import inspect
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from joserfc import jwt
from joserfc.jwk import KeySet

from authz import error_responses, errors
from authz.models import Throttle, User
from authz.services import oauth_clients, throttling
from tests.authz.conftest import Person, Pkce, Server, query

CALLBACK = "https://app.example/callback"


@pytest.fixture
def public() -> str:
    application, secret = oauth_clients.create_client(name="App", redirect_uris=[CALLBACK], is_public=True)
    assert secret == ""
    return str(application.client_id)


def ask(person: Person, client_id: str, pkce: Pkce, **changes: Any) -> str:
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "scope": "service",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    } | changes
    arrived = person.browser.get("/authz/oauth2/authorize", parameters)
    return query(person.browser.post(arrived["Location"], {"answer": "allow"})["Location"])["code"]


def test_a_public_client_redeems_by_its_verifier_alone(alice: Person, server: Server, public: str) -> None:
    alice.log_in()
    pkce = Pkce()
    code = ask(alice, public, pkce)
    form = {"grant_type": "authorization_code", "code": code, "client_id": public, "redirect_uri": CALLBACK}
    assert server.token(form, None).status_code == 400
    assert server.token(form | {"code_verifier": Pkce().verifier}, None).json()["error"] == "invalid_grant"
    answer = server.token(form | {"code_verifier": pkce.verifier}, None)
    assert answer.status_code == 200
    assert server.introspect(answer.json()["access_token"])["client_id"] == public


def test_a_confidential_client_cannot_pass_for_a_public_one(
    alice: Person, server: Server, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    pkce = Pkce()
    code = ask(alice, foreign[0], pkce, redirect_uri="https://elsewhere.example/callback")
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier, "client_id": foreign[0]}
    assert server.token(form, None).json()["error"] == "invalid_client"


def test_an_operator_logs_in_at_another_host_with_a_claim_that_signers_do_not_have(
    alice: Person, server: Server, settings: Any
) -> None:
    settings.OPERATORS_REDIRECT_URIS = ["https://rssp.example/admin/callback"]
    oauth_clients.sync_clients()
    client = (settings.OPERATORS_CLIENT_ID, settings.OPERATORS_CLIENT_SECRET)
    alice.log_in()
    keys = KeySet.import_key_set(server.http.get("/authz/oauth2/jwks").json())
    for is_operator in (False, True):
        User.objects.update(is_staff=is_operator)
        pkce = Pkce()
        arrived = alice.browser.get(
            "/authz/oauth2/authorize",
            {
                "response_type": "code",
                "client_id": client[0],
                "scope": "openid email",
                "code_challenge": pkce.challenge,
                "code_challenge_method": "S256",
                "nonce": "n",
            },
        )
        code = query(alice.browser.get(arrived["Location"])["Location"])["code"]
        token = server.redeem(code, pkce, client).json()
        claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
        assert claims.get("operator", False) is is_operator
        assert {"hwk", "swk"} & set(claims["amr"])
        assert "refresh_token" not in token


def test_a_login_that_the_client_wants_fresh_is_asked_for_again(alice: Person, public: str) -> None:
    alice.log_in()
    parameters = {
        "response_type": "code",
        "client_id": public,
        "redirect_uri": CALLBACK,
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
    }
    for wish in ({"prompt": "login"}, {"max_age": "0"}):
        arrived = alice.browser.get("/authz/oauth2/authorize", parameters | wish)
        assert alice.browser.get(arrived["Location"])["Location"].startswith("/authz/login?")
    # Who asks for a new account does not get the one that this browser was left logged in to.
    for somebody in (alice, Person("Carol")):
        arrived = somebody.browser.get("/authz/oauth2/authorize", parameters | {"prompt": "create"})
        assert somebody.browser.get(arrived["Location"])["Location"].startswith("/authz/signup?")


def test_another_person_may_answer_a_request_in_a_browser_that_was_left_logged_in(
    alice: Person, bob: Person, public: str
) -> None:
    alice.log_in()
    bob.browser.cookies = alice.browser.cookies
    parameters = {
        "response_type": "code",
        "client_id": public,
        "redirect_uri": CALLBACK,
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
        "prompt": "login",
    }
    consent = bob.browser.get("/authz/oauth2/authorize", parameters)["Location"]
    assert bob.browser.get(consent)["Location"].startswith("/authz/login?")
    bob.log_in()
    page = bob.browser.get(consent)
    assert page.status_code == 200
    assert bob.email in page.content.decode()


def test_right_answers_are_not_counted_as_guesses(alice: Person) -> None:
    for _ in range(3):
        alice.log_in()
        alice.browser.post("/authz/logout")
    assert set(Throttle.objects.values_list("attempts", flat=True)) == {0}
    assert throttling.clear_throttles() == 0


def every_error() -> Iterator[type[errors.AuthzError]]:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.AuthzError) and kind is not errors.AuthzError:
            yield kind


@pytest.mark.parametrize("kind", every_error())
def test_every_error_is_mapped(kind: type[errors.AuthzError]) -> None:
    status, code = error_responses.TABLE[kind]
    assert 400 <= status < 500 or status == HTTPStatus.SERVICE_UNAVAILABLE
    assert code != "server_error"


def test_an_error_that_is_not_mapped_says_nothing(rf: Any) -> None:
    class SurpriseError(errors.AuthzError):
        """Nobody mapped it."""

    response = error_responses.json_error(rf.get("/"), SurpriseError("the secret is 1234"))
    assert response.status_code == 500
    assert b"1234" not in response.content


def test_the_issuer_is_where_the_endpoints_are() -> None:
    assert f"{settings.AUTHZ_URL}/authz" == settings.ISSUER
