"""What works: sign-up, login, approval, tokens."""

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings
from joserfc import jwt
from joserfc.jwk import KeySet

from authz.approval import build_creation_approval, build_deletion_approval, build_signing_approval
from authz.models import Consent, User
from tests.authz.conftest import (
    CREATION,
    DELETION,
    GATEWAY,
    PASSWORD,
    RSSP,
    SIGNAPP,
    Flow,
    Person,
    Pkce,
    Server,
    block,
    digest,
    query,
    signing_details,
)
from tests.support.authenticator import b64, unb64


def test_alice_signs_up_with_password_and_passkey_and_is_logged_in() -> None:
    alice = Person("Alice")
    first = alice.browser.post(
        "/authz/signup", {"name": "Alice Example", "email": "Alice@Example.org", "password": PASSWORD}
    )
    assert first["Location"] == "/authz/signup/passkey"
    assert not User.objects.exists()
    page = alice.browser.get(first["Location"])
    made = alice.key.create(block(page)[0]["options"])
    done = alice.browser.post(first["Location"], {"response": json.dumps(made)})
    assert done["Location"] == "/authz/passkeys"
    user = User.objects.get(email="alice@example.org")
    assert user.password.startswith("argon2")
    assert unb64(block(page)[0]["options"]["user"]["id"]) == user.sub.bytes
    assert alice.browser.get("/authz/passkeys").status_code == 200


def test_signapp_logs_alice_in_with_an_id_token_and_a_service_token(
    alice: Person, server: Server, login_code: Callable[..., tuple[str, Pkce]]
) -> None:
    code, pkce = login_code(alice)
    answer = server.redeem(code, pkce, SIGNAPP).json()
    keys = KeySet.import_key_set(server.http.get("/authz/oauth2/jwks").json())
    claims = jwt.decode(answer["id_token"], keys, algorithms=["RS256"]).claims
    assert claims["iss"] == settings.ISSUER
    assert claims["sub"] == str(alice.user.sub)
    assert claims["nonce"] == "login-nonce"
    assert (claims["email"], claims["name"]) == (alice.email, alice.name)
    assert {"pwd", "hwk"} <= set(claims["amr"])
    assert "operator" not in claims
    told = server.introspect(answer["access_token"], GATEWAY)
    assert told["active"]
    assert told["aud"] == [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE]
    assert told["sub"] == str(alice.user.sub)
    assert "paraph_approval" not in told
    info = server.http.get(
        "/authz/oauth2/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"}
    ).json()
    assert info == {"sub": str(alice.user.sub), "name": alice.name, "email": alice.email, "email_verified": False}


def test_a_refresh_token_is_rotated_and_its_old_access_token_dies(
    alice: Person, server: Server, login_code: Callable[..., tuple[str, Pkce]]
) -> None:
    code, pkce = login_code(alice)
    first = server.redeem(code, pkce, SIGNAPP).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = server.token(form, SIGNAPP).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert server.introspect(second["access_token"])["active"]
    assert not server.introspect(first["access_token"])["active"]
    assert "id_token" not in second


def test_an_approval_reaches_rssp_so_that_it_can_verify_it_alone(alice: Person, flow: Flow, server: Server) -> None:
    alice.log_in()
    details = signing_details("Lease.pdf (3 pages, 48 kB)", "Annex.pdf", credentialLabel="Alice, RSA 2048")
    token = flow.token(alice, details)
    assert token["sub"] == str(alice.user.sub)
    assert token["scope"] == "credential"
    assert token["expires_in"] <= 300
    assert "refresh_token" not in token
    told = server.introspect(token["access_token"])
    assert told["authorization_details"] == token["authorization_details"]
    assert told["authorization_details"][0]["numSignatures"] == 2
    assert told["aud"] == [settings.RSSP_RESOURCE]
    approval = told["paraph_approval"]
    assert "public_key" not in approval["passkey"]
    assert unb64(approval["passkey"]["id"]) == alice.key.credential_id
    entry = told["authorization_details"][0]
    challenge = sha256(
        build_signing_approval(
            nonce=unb64(approval["nonce"]),
            client_id=told["client_id"],
            sub=told["sub"],
            credential_id=entry["credentialID"],
            num_signatures=2,
            hash_algorithm_oid=entry["hashAlgorithmOID"],
            document_digests=[
                (item["hashType"], base64.b64decode(item["hash"]), item["label"]) for item in entry["documentDigests"]
            ],
            rp_id=approval["rp_id"],
            origin=approval["origin"],
            expires_at=approval["expires_at"],
        )
    ).digest()
    client_data = json.loads(unb64(approval["assertion"]["client_data_json"]))
    assert client_data["challenge"] == b64(challenge)
    assert approval["expires_at"] >= told["exp"]


def test_creating_a_credential_is_approved_with_the_passkey_that_it_is_bound_to(
    alice: Person, flow: Flow, server: Server
) -> None:
    alice.log_in()
    token = flow.token(alice, CREATION)
    subject = {"commonName": alice.name, "email": alice.email, "emailVerified": False}
    assert token["authorization_details"] == [CREATION[0] | {"subject": subject}]
    assert token["scope"] == "credential-creation"
    told = server.introspect(token["access_token"])
    approval = told["paraph_approval"]
    assert unb64(approval["passkey"]["public_key"]) == alice.key.public_key
    challenge = sha256(
        build_creation_approval(
            nonce=unb64(approval["nonce"]),
            client_id=told["client_id"],
            sub=told["sub"],
            certificate_policy="demonstration",
            key_algorithm="ec-p256",
            common_name=alice.name,
            email=alice.email,
            passkey_public_key=alice.key.public_key,
            rp_id=approval["rp_id"],
            origin=approval["origin"],
            expires_at=approval["expires_at"],
        )
    ).digest()
    assert json.loads(unb64(approval["assertion"]["client_data_json"]))["challenge"] == b64(challenge)


@pytest.mark.parametrize("reason", ["", "keyCompromise"])
def test_ending_a_credential_is_approved_by_passkey(alice: Person, flow: Flow, server: Server, reason: str) -> None:
    alice.log_in()
    wanted = [DELETION[0] | ({"revoke": True, "revocationReason": reason} if reason else {})]
    token = flow.token(alice, wanted)
    assert (token["scope"], token["authorization_details"]) == ("credential-deletion", wanted)
    assert "refresh_token" not in token
    told = server.introspect(token["access_token"])
    approval = told["paraph_approval"]
    assert (approval["kind"], set(approval["passkey"])) == ("credential-deletion", {"id"})
    challenge = sha256(
        build_deletion_approval(
            nonce=unb64(approval["nonce"]),
            client_id=told["client_id"],
            sub=told["sub"],
            credential_id="credential-1",
            revocation_reason=reason,
            rp_id=approval["rp_id"],
            origin=approval["origin"],
            expires_at=approval["expires_at"],
        )
    ).digest()
    assert json.loads(unb64(approval["assertion"]["client_data_json"]))["challenge"] == b64(challenge)


def test_the_page_says_whether_the_certificate_is_revoked(alice: Person, flow: Flow) -> None:
    alice.log_in()
    page = alice.browser.get(flow.open(alice, Pkce(), DELETION)).content.decode()
    assert "What you signed with it stays valid." in page
    revoked = [DELETION[0] | {"revoke": True, "revocationReason": "superseded"}]
    page = alice.browser.get(flow.open(alice, Pkce(), revoked)).content.decode()
    assert "Yes: replaced by another one" in page


def test_the_consent_page_names_every_document_with_its_fingerprint(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce(), signing_details("Lease.pdf", "Annex <b>.pdf"))
    page = alice.browser.get(location).content.decode()
    assert "You are about to sign 2 documents" in page
    assert "Annex &lt;b&gt;.pdf" in page
    text = digest("Lease.pdf").hex().upper()[:32]
    assert " ".join(text[index : index + 4] for index in range(0, 32, 4)) in page
    assert "credential-1" in page
    assert "Lease" not in location


def test_a_pending_request_survives_the_login(alice: Person, flow: Flow) -> None:
    location = flow.open(alice, Pkce())
    asked = alice.browser.get(location)
    assert asked["Location"].startswith("/authz/login?")
    done = alice.log_in(query(asked["Location"])["next"])
    assert done["Location"] == location
    assert query(alice.approve(location)["Location"])["state"] == "state-1"


def test_a_foreign_client_asks_by_the_plain_parameters_of_the_api(
    alice: Person, server: Server, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    pkce = Pkce()
    arrived = alice.browser.get(
        "/authz/oauth2/authorize",
        {
            "response_type": "code",
            "client_id": foreign[0],
            "scope": "credential",
            "credentialID": "credential-1",
            "numSignatures": "2",
            "hashes": ",".join(b64(digest(text)) for text in ("one", "two")),
            "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
            "description": "Two papers",
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
        },
    )
    answer = query(alice.approve(arrived["Location"])["Location"])
    token = server.redeem(answer["code"], pkce, foreign).json()
    assert [item["label"] for item in token["authorization_details"][0]["documentDigests"]] == ["Two papers"] * 2
    assert server.introspect(token["access_token"], RSSP)["client_id"] == foreign[0]


def test_a_foreign_client_is_allowed_access_by_consent_and_may_send_its_secret_in_the_body(
    alice: Person, server: Server, foreign: tuple[str, str]
) -> None:
    alice.log_in()
    pkce = Pkce()
    arrived = alice.browser.get(
        "/authz/oauth2/authorize",
        {
            "response_type": "code",
            "client_id": foreign[0],
            "scope": "service",
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
        },
    )
    assert alice.browser.get(arrived["Location"]).status_code == 200
    answer = query(alice.browser.post(arrived["Location"], {"answer": "allow"})["Location"])
    form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": pkce.verifier}
    form |= {"client_id": foreign[0], "client_secret": foreign[1]}
    token = server.token(form, None).json()
    assert token["token_type"] == "Bearer"
    assert server.introspect(token["access_token"])["scope"] == "service"


def test_a_decline_goes_back_with_state_and_issuer(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    answer = alice.browser.post(location, {"answer": "decline"})
    assert answer["Location"].startswith(settings.APPROVAL_REDIRECT_URI)
    told = query(answer["Location"])
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "state-1", settings.ISSUER)
    assert Consent.objects.get().state == Consent.State.DECLINED


def test_discovery_names_what_is_served(server: Server) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    assert metadata["issuer"] == settings.ISSUER
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["response_types_supported"] == ["code"]
    provider: dict[str, Any] = server.http.get("/authz/.well-known/openid-configuration").json()
    assert provider["issuer"] == settings.ISSUER
    assert provider["jwks_uri"].startswith(settings.ISSUER)
