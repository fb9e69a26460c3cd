"""One client held to the FAPI 2.0 security profile, from its pushed request to its refreshed token."""

from typing import Any

import pytest
from django.conf import settings
from joserfc import jwt
from joserfc.jwk import KeySet

from authz.models import Application, Authentication, RefreshToken
from authz.services import oauth_clients
from authz.services.client_assertions import ASSERTION_TYPE
from tests.authz.conftest import Person, Pkce, Server, query
from tests.support.proofs import ClientKey

CALLBACK = "https://elsewhere.example/callback"
TOKEN = f"{settings.ISSUER}/oauth2/token"


class Bank:
    """A client that proves who it is, and each token's key, and shares no secret."""

    def __init__(self, server: Server) -> None:
        self.server, self.key, self.pkce = server, ClientKey(kid="1"), Pkce()
        application, _secret = oauth_clients.create_client(name="Bank", redirect_uris=[CALLBACK], is_public=False)
        application.authentication, application.jwks = Authentication.PRIVATE_KEY, {"keys": [self.key.public]}
        application.fapi_profile = application.require_dpop = True
        application.allowed_scopes = "openid service"
        application.allowed_resources = [settings.RSSP_RESOURCE]
        application.jwt_access_tokens = True
        application.save()
        self.client_id: str = application.client_id

    def ask(self, endpoint: str, proof: str | None = None, **form: str) -> Any:
        proven = {
            "client_assertion": self.key.assertion(self.client_id, settings.ISSUER),
            "client_assertion_type": ASSERTION_TYPE,
        }
        headers = {} if proof is None else {"DPoP": proof}
        return self.server.http.post(f"/authz/oauth2/{endpoint}", proven | form, headers=headers)

    def push(self, **changes: Any) -> Any:
        asked = {
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid service",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": self.pkce.challenge,
            "code_challenge_method": "S256",
        }
        return self.ask("pushed_authorize", **{k: v for k, v in (asked | changes).items() if v is not None})

    def log_in(self, person: Person) -> dict[str, Any]:
        person.log_in()
        reference = {"client_id": self.client_id, "request_uri": self.push().json()["request_uri"]}
        page = person.browser.get("/authz/oauth2/authorize", reference)
        told = query(person.browser.post(page["Location"], {"answer": "allow"})["Location"])
        assert told["iss"] == settings.ISSUER
        answer = self.ask(
            "token",
            self.key.proof("POST", TOKEN),
            grant_type="authorization_code",
            code=told["code"],
            redirect_uri=CALLBACK,
            code_verifier=self.pkce.verifier,
        )
        assert answer.status_code == 200, answer.content
        kept: dict[str, Any] = answer.json()
        return kept

    def refresh(self, token: str, proof: str | None) -> Any:
        return self.ask("token", proof, grant_type="refresh_token", refresh_token=token)


@pytest.fixture
def bank(server: Server) -> Bank:
    return Bank(server)


def test_what_is_signed_for_it_is_signed_by_es256_whatever_its_record_says(bank: Bank, alice: Person) -> None:
    kept = bank.log_in(alice)
    assert Application.objects.get(client_id=bank.client_id).id_token_signed_response_alg == "RS256"
    keys = KeySet.import_key_set(bank.server.http.get("/authz/oauth2/jwks").json())
    for name, typ in (("id_token", "JWT"), ("access_token", "at+jwt")):
        header = jwt.decode(kept[name], keys, algorithms=["ES256"]).header
        assert (header["alg"], header["typ"]) == ("ES256", typ)
    assert kept["token_type"] == "DPoP"


def test_its_refresh_token_stays_as_it_is_and_gives_nothing_without_a_key(bank: Bank, alice: Person) -> None:
    kept = bank.log_in(alice)
    refused = bank.refresh(kept["refresh_token"], None)
    assert refused.json()["error"] == "invalid_dpop_proof"
    tokens = [kept["access_token"]]
    for _ in range(3):
        answer = bank.refresh(kept["refresh_token"], bank.key.proof("POST", TOKEN))
        assert answer.status_code == 200, answer.content
        assert "refresh_token" not in answer.json()
        tokens.append(answer.json()["access_token"])
    # One access token at a time, and one refresh token all along.
    assert [bank.server.introspect(token)["active"] for token in tokens] == [False, False, False, True]
    assert RefreshToken.objects.count() == 1
    bank.ask("revoke", token=kept["refresh_token"])
    assert not bank.server.introspect(tokens[-1])["active"]
    ended = bank.refresh(kept["refresh_token"], bank.key.proof("POST", TOKEN))
    assert ended.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": None}, {"redirect_uri": CALLBACK + "/"}, {"code_challenge": None}]
)
def test_its_pushed_request_names_its_redirect_uri_and_a_challenge(bank: Bank, changes: dict[str, Any]) -> None:
    refused = bank.push(**changes)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
