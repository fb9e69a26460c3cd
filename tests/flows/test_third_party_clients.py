"""OAuth clients that somebody else wrote, authlib and npm's openid-client, log in, ask for approvals and refresh."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from scripts.instance import ROOT
from tests.flows.chain import REDIRECT_URI, Chain, Signer
from tests.support.walk import SHA256_OID, SIGN_ALGO, CscClient, Walker, encode, query_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]
LOGIN = "openid email profile service"
DIGEST = bytes(range(32))


@pytest.fixture(scope="module")
def client(chain: Chain) -> CscClient:
    """A foreign client that an operator let ask who somebody is."""
    made = chain.client("Somebody's library")
    chain.rows(
        "authz",
        "UPDATE authz_application SET allowed_scopes = ? WHERE client_id = ?",
        f"{LOGIN} credential",
        made.client_id,
    )
    return made


def allow(walker: Walker, url: str) -> str:
    """The callback's address after access was allowed."""
    return str(walker.send(walker.open(url), until=REDIRECT_URI, answer="allow").headers["Location"])


def approve(walker: Walker, url: str) -> str:
    """The callback's address after the signatures were approved."""
    return str(walker.approve(walker.open(url), until=REDIRECT_URI).headers["Location"])


def sign_body(credential: str) -> dict[str, Any]:
    return {
        "credentialID": credential,
        "hashes": [encode(DIGEST)],
        "hashAlgorithmOID": SHA256_OID,
        "signAlgo": SIGN_ALGO["ec"],
    }


# --- openid-client ------------------------------------------------------------------------------------------

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def openid_client(client: CscClient) -> Ask:
    """One step of openid-client, by a Node.js of its own."""
    beside = Path(sys.executable).with_name("node")
    node = str(beside) if beside.exists() else shutil.which("node")
    assert node, "there is no Node.js"

    def ask(step: str, **members: Any) -> dict[str, Any]:
        who = {"issuer": client.issuer, "clientId": client.client_id, "secret": client.secret}
        asked = json.dumps({"step": step, **who, **members})
        script = ROOT / "tests" / "flows" / "openid_client.mjs"
        done = subprocess.run([node, str(script)], input=asked, capture_output=True, text=True, timeout=180, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return ask


@pytest.mark.parametrize("authentication", ["basic", "post"])
def test_openid_client_logs_in_refreshes_and_revokes(
    alice: Signer, client: CscClient, openid_client: Ask, authentication: str
) -> None:
    how = {"authentication": authentication}
    begun = openid_client("begin", parameters={"redirect_uri": REDIRECT_URI, "scope": LOGIN}, **how)
    assert set(query_of(begun["url"])) == {"client_id", "request_uri"}
    callback = allow(alice.walker, begun["url"])
    kept = {name: begun[name] for name in ("verifier", "state", "nonce")}
    finished = openid_client("finish", callback=callback, **kept, **how)
    tokens, claims = finished["tokens"], finished["claims"]
    assert (claims["email"], claims["acr"]) == (alice.walker.email, "aal2")
    info = openid_client("userinfo", accessToken=tokens["access_token"], subject=claims["sub"])
    assert info["claims"]["name"] == alice.walker.name
    refreshed = openid_client("refresh", refreshToken=tokens["refresh_token"], **how)["tokens"]
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    assert openid_client("revoke", token=refreshed["refresh_token"], **how) == {}
    again = openid_client("refresh", refreshToken=refreshed["refresh_token"], **how)
    assert again["error"] == "invalid_grant"
    assert openid_client("finish", callback=callback, **kept, **how)["error"] == "invalid_grant"


def test_openid_client_pushes_authorization_details_and_signs(
    alice: Signer, client: CscClient, openid_client: Ask
) -> None:
    details = json.dumps(client.details(alice.credential, DIGEST)["authorization_details"])
    parameters = {"redirect_uri": REDIRECT_URI, "authorization_details": details}
    begun = openid_client("begin", parameters=parameters, algorithm="oauth2")
    callback = approve(alice.walker, begun["url"])
    kept = {"verifier": begun["verifier"], "state": begun["state"], "algorithm": "oauth2"}
    tokens = openid_client("finish", callback=callback, **kept)["tokens"]
    assert tokens["authorization_details"][0]["documentDigests"][0]["hash"] == encode(DIGEST)
    assert "refresh_token" not in tokens
    url = f"{client.service}/v2/signatures/signHash"
    signed = openid_client("call", accessToken=tokens["access_token"], url=url, body=sign_body(alice.credential))
    assert signed["status"] == 200
    assert base64.b64decode(signed["body"]["signatures"][0])


@pytest.mark.parametrize(
    ("old", "new"), [("iss=", "iss=https%3A%2F%2Fevil.example%2F"), ("state=", "state=x"), ("iss=", "is=")]
)
def test_openid_client_is_told_enough_to_refuse_a_mixed_up_answer(
    alice: Signer, openid_client: Ask, old: str, new: str
) -> None:
    begun = openid_client("begin", parameters={"redirect_uri": REDIRECT_URI, "scope": "service"}, algorithm="oauth2")
    callback = allow(alice.walker, begun["url"])
    assert old in callback
    kept = {"verifier": begun["verifier"], "state": begun["state"], "algorithm": "oauth2"}
    refused = openid_client("finish", callback=callback.replace(old, new), **kept)
    assert "tokens" not in refused
    assert openid_client("finish", callback=callback, **kept)["tokens"]["access_token"]


def test_openid_client_hears_why_it_is_refused(openid_client: Ask) -> None:
    for parameters, error in (
        ({"redirect_uri": "https://evil.example/", "scope": "service"}, "invalid_request"),
        ({"redirect_uri": REDIRECT_URI, "scope": "everything"}, "invalid_scope"),
        ({"redirect_uri": REDIRECT_URI, "authorization_details": "[]"}, "invalid_authorization_details"),
        ({"redirect_uri": REDIRECT_URI, "scope": "service", "resource": "https://evil.example"}, "invalid_target"),
    ):
        assert openid_client("begin", parameters=parameters)["error"] == error
    nobody = openid_client("begin", parameters={"redirect_uri": REDIRECT_URI}, secret="x" * 43)
    # By its WWW-Authenticate header, before it reads the body.
    assert nobody["error"] == "OAUTH_WWW_AUTHENTICATE_CHALLENGE"


def test_openid_client_binds_its_tokens_to_a_key(alice: Signer, openid_client: Ask) -> None:
    """DPoP at the pushed request, the token endpoint, the refresh and the user info; no other key will do."""
    keys, others = openid_client("keys"), openid_client("keys")
    begun = openid_client("begin", parameters={"redirect_uri": REDIRECT_URI, "scope": LOGIN}, dpop=keys)
    callback = allow(alice.walker, begun["url"])
    kept = {name: begun[name] for name in ("verifier", "state", "nonce")}
    assert "tokens" not in openid_client("finish", callback=callback, dpop=others, **kept)
    finished = openid_client("finish", callback=callback, dpop=keys, **kept)
    tokens, subject = finished["tokens"], finished["claims"]["sub"]
    assert tokens["token_type"].lower() == "dpop"
    presented = {"accessToken": tokens["access_token"], "subject": subject}
    assert openid_client("userinfo", dpop=keys, **presented)["claims"]["sub"] == subject
    for wrong in ({"dpop": others}, {}):
        assert "claims" not in openid_client("userinfo", **presented, **wrong)
    refreshed = openid_client("refresh", refreshToken=tokens["refresh_token"], dpop=keys)["tokens"]
    assert refreshed["token_type"].lower() == "dpop"


def test_openid_client_signs_with_a_token_that_is_bound_to_its_key(
    alice: Signer, client: CscClient, openid_client: Ask
) -> None:
    """PAR, RAR, PKCE and DPoP, up to the signature: without the key the approval is worth nothing."""
    keys = openid_client("keys")
    details = json.dumps(client.details(alice.credential, DIGEST)["authorization_details"])
    parameters = {"redirect_uri": REDIRECT_URI, "authorization_details": details}
    begun = openid_client("begin", parameters=parameters, algorithm="oauth2", dpop=keys)
    callback = approve(alice.walker, begun["url"])
    kept = {"verifier": begun["verifier"], "state": begun["state"], "algorithm": "oauth2"}
    tokens = openid_client("finish", callback=callback, dpop=keys, **kept)["tokens"]
    assert tokens["token_type"].lower() == "dpop"
    call = {
        "accessToken": tokens["access_token"],
        "url": f"{client.service}/v2/signatures/signHash",
        "body": sign_body(alice.credential),
    }
    for stolen in ({}, {"dpop": openid_client("keys")}):
        assert openid_client("call", **call, **stolen).get("status") != 200
    signed = openid_client("call", **call, dpop=keys)
    assert signed["status"] == 200, signed
    assert base64.b64decode(signed["body"]["signatures"][0])


# --- authlib ------------------------------------------------------------------------------------------------


@pytest.fixture
def authlib(client: CscClient) -> OAuth2Client:
    return OAuth2Client(
        client.client_id,
        client.secret,
        redirect_uri=REDIRECT_URI,
        scope=LOGIN,
        code_challenge_method="S256",
        trust_env=False,
        timeout=60,
    )


def begin(authlib: OAuth2Client, issuer: str, **parameters: Any) -> tuple[str, dict[str, str]]:
    """authlib's request, pushed: where the browser goes, and what the callback is compared with."""
    verifier = "v" * 64
    endpoint = f"{issuer}/oauth2/authorize"
    url, state = authlib.create_authorization_url(endpoint, code_verifier=verifier, **parameters)
    secret = (authlib.client_id, authlib.client_secret)
    pushed = authlib.post(f"{issuer}/oauth2/pushed_authorize", data=query_of(url), auth=secret)
    assert pushed.status_code == 201, pushed.text
    reference = {"client_id": authlib.client_id, "request_uri": pushed.json()["request_uri"]}
    return f"{endpoint}?{urlencode(reference)}", {"code_verifier": verifier, "state": state}


def test_authlib_logs_in_refreshes_and_revokes(alice: Signer, client: CscClient, authlib: OAuth2Client) -> None:
    url, kept = begin(authlib, client.issuer, nonce="authlib's nonce")
    callback = allow(alice.walker, url)
    endpoint = f"{client.issuer}/oauth2/token"
    token = authlib.fetch_token(endpoint, authorization_response=callback, **kept)
    keys = KeySet.import_key_set(authlib.get(f"{client.issuer}/oauth2/jwks").json())
    read = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    expected = {"iss": {"value": client.issuer}, "aud": {"value": client.client_id}}
    claims = CodeIDToken(
        read.claims, read.header, expected, {"nonce": "authlib's nonce", "client_id": client.client_id}
    )
    claims.validate()
    assert claims["email"] == alice.walker.email
    assert authlib.get(f"{client.issuer}/oauth2/userinfo").json()["sub"] == claims["sub"]
    refreshed = authlib.refresh_token(endpoint, refresh_token=token["refresh_token"])
    assert refreshed["refresh_token"] != token["refresh_token"]
    revoked = authlib.revoke_token(f"{client.issuer}/oauth2/revoke", token=refreshed["refresh_token"])
    assert revoked.status_code == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        authlib.refresh_token(endpoint, refresh_token=refreshed["refresh_token"])
    with pytest.raises(OAuthError, match="invalid_grant"):
        authlib.fetch_token(endpoint, authorization_response=callback, **kept)


def test_authlib_pushes_authorization_details_and_signs(
    alice: Signer, client: CscClient, authlib: OAuth2Client
) -> None:
    details = json.dumps(client.details(alice.credential, DIGEST)["authorization_details"])
    url, kept = begin(authlib, client.issuer, scope="credential", authorization_details=details)
    callback = approve(alice.walker, url)
    token = authlib.fetch_token(f"{client.issuer}/oauth2/token", authorization_response=callback, **kept)
    assert (token["scope"], "refresh_token" in token) == ("credential", False)
    signed = authlib.post(f"{client.service}/v2/signatures/signHash", json=sign_body(alice.credential))
    assert signed.status_code == 200, signed.text
    again = authlib.post(f"{client.service}/v2/signatures/signHash", json=sign_body(alice.credential))
    assert again.json()["error_description"] == "Hash is not authorized by the SAD."


def test_authlib_asks_by_version_1_of_the_csc_api(alice: Signer, client: CscClient, authlib: OAuth2Client) -> None:
    """By the base that info tells, with a hash, and a SAD for the answer."""
    base = client.call("info", {}, None, version=1).json()["oauth2"]
    verifier = "v" * 64
    wanted = {"credentialID": alice.credential, "numSignatures": "1", "hash": encode(DIGEST), "description": "Lease"}
    url, state = authlib.create_authorization_url(
        f"{base}oauth2/authorize", code_verifier=verifier, scope="credential", **wanted
    )
    callback = approve(alice.walker, url)
    token = authlib.fetch_token(
        f"{base}oauth2/token", authorization_response=callback, code_verifier=verifier, state=state
    )
    assert token["token_type"] == "SAD"
    service = client.log_in(alice.walker)
    body = {"SAD": token["access_token"], "credentialID": alice.credential, "hash": [encode(DIGEST)]}
    signed = client.call("signatures/signHash", body | {"signAlgo": SIGN_ALGO["ec"]}, service, version=1)
    assert signed.status_code == 200, signed.text
