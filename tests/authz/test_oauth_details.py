"""Smaller duties of the OAuth endpoints, which the table of requirements names one by one."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from authz.models import AccessToken, Application, Consent
from tests.authz.conftest import GATEWAY, RSSP, SIGNAPP, Flow, Person, Pkce, Server, basic, query, signing_details

LoginCode = Callable[..., tuple[str, Pkce]]
MakeRequest = Callable[..., dict[str, Any]]


def test_the_token_endpoint_answers_post_alone(server: Server) -> None:
    for endpoint in ("token", "revoke", "pushed_authorize"):
        answer = server.http.get(f"/authz/oauth2/{endpoint}", headers=basic(GATEWAY))
        assert (answer.status_code, answer["Allow"]) == (405, "POST")


@pytest.mark.parametrize("endpoint", ["token", "revoke", "introspect", "pushed_authorize", "bc-authorize"])
def test_an_odd_body_is_refused_in_json(server: Server, endpoint: str) -> None:
    form = "application/x-www-form-urlencoded"
    for status, body, content_type in (
        (413, f"token={'a' * 1_100_000}", form),
        (400, "&".join(f"a{number}=1" for number in range(1100)), form),
        (400, "token=a&token=b", form),
        (400, "token=%00", form),
        (400, b"--x", "multipart/form-data"),
    ):
        answer = server.http.post(f"/authz/oauth2/{endpoint}", body, content_type, headers=basic(GATEWAY))
        assert answer.status_code == status, answer.content
        assert answer.json()["error"]


def test_a_token_response_has_its_members_and_is_not_stored(
    alice: Person, server: Server, login_code: LoginCode
) -> None:
    answer = server.redeem(*login_code(alice), SIGNAPP)
    told = answer.json()
    assert answer["Content-Type"].startswith("application/json")
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 900)
    assert told["access_token"]


def test_another_redirect_uri_with_the_code_is_an_invalid_grant(
    alice: Person, server: Server, login_code: LoginCode
) -> None:
    code, pkce = login_code(alice)
    refused = server.redeem(code, pkce, SIGNAPP, redirect_uri=settings.APPROVAL_REDIRECT_URI)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert server.redeem(code, pkce, SIGNAPP).status_code == 200


def test_codes_and_tokens_have_256_random_bits(alice: Person, server: Server, flow: Flow) -> None:
    alice.log_in()
    request_uri = server.push(flow.make(Pkce())).json()["request_uri"].rpartition(":")[2]
    codes = {flow.code(alice, Pkce()) for _ in range(3)}
    assert len(codes) == 3
    # base64url of 32 bytes; what the provider makes has 30 characters of 62.
    assert {len(value) for value in (*codes, request_uri)} == {43}
    assert len(flow.token(alice)["access_token"]) >= 30


def test_a_hint_that_does_not_fit_hides_no_token(alice: Person, server: Server, login_code: LoginCode) -> None:
    told = server.redeem(*login_code(alice), SIGNAPP).json()
    for member, hint in (("access_token", "refresh_token"), ("refresh_token", "access_token")):
        form = {"token": told[member], "token_type_hint": hint}
        assert server.http.post("/authz/oauth2/revoke", form, headers=basic(SIGNAPP)).status_code == 200
        assert not AccessToken.objects.exists()
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert server.token(form, SIGNAPP).json()["error"] == "invalid_grant"


def test_what_clients_are_told_is_not_stored(server: Server, credential_request: MakeRequest) -> None:
    for answer in (
        server.http.post("/authz/oauth2/introspect", {"token": "x"}, headers=basic(RSSP)),
        server.http.post("/authz/oauth2/revoke", {"token": "x"}, headers=basic(GATEWAY)),
        server.http.get("/authz/oauth2/userinfo"),
    ):
        assert answer["Cache-Control"] == "no-store"


def test_every_endpoint_that_discovery_names_answers(server: Server) -> None:
    """Nothing behind an address of the metadata is missing, and what they promise is refused or taken accordingly."""
    metadata: dict[str, Any] = server.http.get("/authz/.well-known/openid-configuration").json()
    named = {name: value for name, value in metadata.items() if name.endswith("_endpoint") or name == "jwks_uri"}
    assert len(named) >= 8
    for name, address in named.items():
        assert address.startswith(f"{settings.ISSUER}/"), name
        assert server.http.get(urlsplit(address).path).status_code != 404, name
    oauth: dict[str, Any] = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    assert oauth == {name: metadata[name] for name in oauth}
    assert {"client_secret_basic", "client_secret_post"} <= set(oauth["token_endpoint_auth_methods_supported"])
    assert oauth["authorization_response_iss_parameter_supported"] is True
    assert oauth["require_pushed_authorization_requests"] is False
    assert {"code", "S256"} == {*oauth["response_types_supported"], *oauth["code_challenge_methods_supported"]}
    for name in ("subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported"):
        assert metadata[name]
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]


def test_discovery_lists_each_scope_that_there_is(server: Server) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    assert sorted(metadata["scopes_supported"]) == sorted(settings.OAUTH2_PROVIDER["SCOPES"])
    assert "operator" in metadata["scopes_supported"]


def test_discovery_tells_of_bound_tokens(server: Server) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    algorithms = set(metadata["dpop_signing_alg_values_supported"])
    assert "ES256" in algorithms
    assert not algorithms & {"none", "HS256", "RS256"}


def test_discovery_says_that_request_objects_are_not_taken(server: Server) -> None:
    metadata = server.http.get("/authz/.well-known/openid-configuration").json()
    assert (metadata["request_parameter_supported"], metadata["claims_parameter_supported"]) == (False, False)


def test_discovery_lists_the_types_of_authorization_details(server: Server) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    assert {"credential", "https://cloudsignatureconsortium.org/2025/credential", "credential-creation"} <= set(
        metadata["authorization_details_types_supported"]
    )


def test_a_pushed_request_is_answered_with_201_and_not_stored(server: Server, credential_request: MakeRequest) -> None:
    pushed = server.push(credential_request(Pkce()))
    assert pushed.status_code == 201
    assert "no-store" in pushed["Cache-Control"]
    assert set(pushed.json()) == {"request_uri", "expires_in"}
    assert pushed.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert 0 < pushed.json()["expires_in"] < 600


def test_a_pushed_request_is_judged_again_when_the_browser_comes(
    alice: Person, server: Server, credential_request: MakeRequest
) -> None:
    request_uri = server.push(credential_request(Pkce())).json()["request_uri"]
    Application.objects.filter(client_id=GATEWAY[0]).update(redirect_uris="https://moved.example/callback")
    reference = {"client_id": GATEWAY[0], "request_uri": request_uri}
    assert alice.browser.get("/authz/oauth2/authorize", reference).status_code == 400
    assert not Consent.objects.exists()


def test_after_the_form_with_a_password_the_browser_is_not_made_to_post_it_again(alice: Person, flow: Flow) -> None:
    alice.log_in()
    assert alice.approve(flow.open(alice, Pkce())).status_code in {302, 303}


@pytest.mark.parametrize("location", ["https://evil.example/csc", settings.GATEWAY_RESOURCE, ""])
def test_locations_are_the_signing_service(server: Server, credential_request: MakeRequest, location: str) -> None:
    def push(*locations: str) -> Any:
        return server.push(credential_request(Pkce(), signing_details(locations=list(locations))))

    assert push(settings.RSSP_RESOURCE).status_code == 201
    assert push(f"{settings.RSSP_RESOURCE}/v2").status_code == 201
    refused = push(settings.RSSP_RESOURCE, location)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_authorization_details")


def test_what_a_client_calls_its_documents_is_told_as_it_was_asked(alice: Person, flow: Flow) -> None:
    """The members that CSC's text has, in one request; a hash type keeps its spelling, locations their order."""
    details = signing_details(
        "Lease.pdf",
        "Annex.pdf",
        type="https://cloudsignatureconsortium.org/2025/credential",
        locations=[f"{settings.RSSP_RESOURCE}/v2", settings.RSSP_RESOURCE],
        numSignatures=2,
    )
    details[0]["documentDigests"][0]["hashType"] = "DTBSR"
    del details[0]["documentDigests"][1]["hashType"]
    alice.log_in()
    expected = [details[0] | {"documentDigests": [dict(item) for item in details[0]["documentDigests"]]}]
    expected[0]["documentDigests"][1]["hashType"] = "dtbsr"
    assert flow.token(alice, details)["authorization_details"] == expected


def test_an_account_is_asked_for_by_authorization_details_too(
    alice: Person, server: Server, login_code: LoginCode
) -> None:
    details = [{"type": "service", "locations": [settings.RSSP_RESOURCE]}]
    told = json.dumps(details)
    code, pkce = login_code(alice, scope="service", resource=[], authorization_details=told)
    first = server.redeem(code, pkce, SIGNAPP, authorization_details=told).json()
    assert (first["scope"], first["authorization_details"]) == ("service", details)
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = server.token(form, SIGNAPP).json()
    assert second["authorization_details"] == details
    found = server.introspect(second["access_token"])
    assert (found["authorization_details"], found["aud"]) == (details, [settings.RSSP_RESOURCE])
    assert "paraph_approval" not in found
    # It was for one of the two resources.
    assert server.introspect(second["access_token"], GATEWAY) == {"active": False}


@pytest.mark.parametrize(
    ("details", "changes", "error"),
    [
        ({"locations": ["https://evil.example/csc"]}, {}, "invalid_target"),
        ({"locations": "https://evil.example/csc"}, {}, "invalid_authorization_details"),
        ({"credentialID": "x"}, {}, "invalid_authorization_details"),
        ({"subject": {}}, {}, "invalid_authorization_details"),
        ({}, {"scope": "openid service"}, "invalid_scope"),
        ({}, {"scope": "credential"}, "invalid_scope"),
        ({}, {"numSignatures": "1"}, "invalid_request"),
    ],
)
def test_access_with_something_else_is_refused(
    server: Server, details: dict[str, Any], changes: dict[str, str], error: str
) -> None:
    form = {
        "response_type": "code",
        "redirect_uri": settings.LOGIN_REDIRECT_URI,
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
        "authorization_details": json.dumps([{"type": "service"} | details]),
    }
    refused = server.push(form | changes, SIGNAPP)
    assert (refused.status_code, refused.json()["error"]) == (400, error)


# --- A request in a form ---------------------------------------------------------------------------------------


def test_a_form_from_another_site_leads_on_without_touching_the_session(
    alice: Person, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    asked = {"client_id": foreign[0], "response_type": "code", "scope": "service", "state": "s"}
    asked |= {"code_challenge": Pkce().challenge, "code_challenge_method": "S256"}
    # As a browser sends it: no cookie, and no token of ours.
    elsewhere = Client(enforce_csrf_checks=True)
    answer = elsewhere.post("/authz/oauth2/authorize", asked)
    assert answer.status_code == 303
    assert not answer.cookies
    assert set(query(answer["Location"])) == {"client_id", "request_uri"}
    page = alice.browser.get(answer["Location"])
    assert "Elsewhere asks for access" in alice.browser.get(page["Location"]).content.decode()
    # Once, as whatever is kept.
    assert alice.browser.get(answer["Location"]).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
    ],
)
def test_a_form_that_asks_for_too_much_goes_back(foreign: tuple[str, str], changes: dict[str, str], error: str) -> None:
    asked = {"client_id": foreign[0], "response_type": "code", "scope": "service", "state": "s"}
    asked |= {"code_challenge": Pkce().challenge, "code_challenge_method": "S256"}
    answer = Client().post("/authz/oauth2/authorize", asked | changes)
    assert (query(answer["Location"])["error"], query(answer["Location"])["state"]) == (error, "s")
    assert query(answer["Location"])["iss"] == settings.ISSUER
    for untrusted in ({"redirect_uri": "https://evil.example/"}, {"client_id": "nobody"}):
        shown = Client().post("/authz/oauth2/authorize", asked | untrusted)
        assert (shown.status_code, "Location" in shown) == (400, False)


def test_who_must_push_cannot_send_a_form(server: Server, flow: Flow, alice: Person) -> None:
    form = flow.make(Pkce())
    refused = Client().post("/authz/oauth2/authorize", form | {"client_id": GATEWAY[0]})
    assert query(refused["Location"])["error"] == "invalid_request"
    pushed = server.push(form).json()["request_uri"]
    answer = Client().post("/authz/oauth2/authorize", {"client_id": GATEWAY[0], "request_uri": pushed})
    assert answer.status_code == 303
    assert alice.browser.get(answer["Location"])["Location"].startswith("/authz/consents/")
