"""Tokens that are bound to a client's key (DPoP, RFC 9449): proofs right and wrong, codes, refreshing, userinfo."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from joserfc.jwk import ECKey, OctKey, RSAKey

from authz.models import AccessToken, Application, Grant, RefreshToken
from authz.services import oauth_clients
from tests.authz.conftest import GATEWAY, SIGNAPP, Flow, Person, Pkce, Server, basic
from tests.support.proofs import ClientKey, sign

Login = Callable[..., tuple[str, Pkce]]
TOKEN = f"{settings.ISSUER}/oauth2/token"
USERINFO = f"{settings.ISSUER}/oauth2/userinfo"


@pytest.fixture
def key() -> ClientKey:
    return ClientKey()


@pytest.fixture
def sealer() -> tuple[str, str]:
    """The cheapest token there is."""
    application, secret = oauth_clients.create_client(
        name="Invoices", redirect_uris=[], is_public=False, may_act_alone=True
    )
    return application.client_id, secret


def ask(server: Server, client: tuple[str, str], proof: str | None, **form: Any) -> Any:
    headers = basic(client) | ({} if proof is None else {"DPoP": proof})
    return server.http.post("/authz/oauth2/token", {"grant_type": "client_credentials", **form}, headers=headers)


def redeem(server: Server, code: str, pkce: Pkce, proof: str | None, client: tuple[str, str] = SIGNAPP) -> Any:
    addresses = {SIGNAPP: settings.LOGIN_REDIRECT_URI, GATEWAY: settings.APPROVAL_REDIRECT_URI}
    form = {"code": code, "code_verifier": pkce.verifier, "redirect_uri": addresses[client]}
    return ask(server, client, proof, grant_type="authorization_code", **form)


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_proven_key_binds_the_token(server: Server, sealer: tuple[str, str], key: ClientKey) -> None:
    answer = ask(server, sealer, key.proof("POST", TOKEN)).json()
    assert answer["token_type"] == "DPoP"
    told = server.introspect(answer["access_token"])
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": key.thumbprint})
    unbound = server.introspect(ask(server, sealer, None).json()["access_token"])
    assert unbound["token_type"] == "Bearer"
    assert "cnf" not in unbound


@pytest.mark.parametrize(
    "htu", [TOKEN + "?a=b#c", TOKEN.replace("http://localhost:8000", "HTTP://LOCALHOST:8000")], ids=["query", "case"]
)
def test_addresses_are_compared_as_addresses(server: Server, sealer: tuple[str, str], key: ClientKey, htu: str) -> None:
    assert ask(server, sealer, key.proof("POST", htu)).status_code == 200


def wrong_proofs() -> dict[str, Callable[[ClientKey], str]]:
    now = int(time.time())
    ec = ECKey.generate_key("P-256")
    return {
        "no JWS": lambda _: "x",
        "two": lambda key: f"{key.proof('POST', TOKEN)},{key.proof('POST', TOKEN)}",
        "other method": lambda key: key.proof("GET", TOKEN),
        "other address": lambda key: key.proof("POST", USERINFO),
        "other host": lambda key: key.proof("POST", "https://elsewhere.example/authz/oauth2/token"),
        "user in the address": lambda key: key.proof("POST", TOKEN.replace("://", "://localhost@")),
        "address of another type": lambda key: key.proof("POST", TOKEN, htu=[TOKEN]),
        "bad port": lambda key: key.proof("POST", "http://localhost:x/authz/oauth2/token"),
        "too old": lambda key: key.proof("POST", TOKEN, iat=now - 120),
        "in the future": lambda key: key.proof("POST", TOKEN, iat=now + 90),
        "no iat": lambda key: key.proof("POST", TOKEN, iat=None),
        "iat of another type": lambda key: key.proof("POST", TOKEN, iat=str(now)),
        "no jti": lambda key: key.proof("POST", TOKEN, jti=None),
        "empty jti": lambda key: key.proof("POST", TOKEN, jti=""),
        "long jti": lambda key: key.proof("POST", TOKEN, jti="x" * 256),
        "jti of another type": lambda key: key.proof("POST", TOKEN, jti={"a": 1}),
        "other typ": lambda key: key.proof("POST", TOKEN, header={"typ": "JWT"}),
        "no key": lambda key: key.proof("POST", TOKEN, header={"jwk": None}),
        "private key": lambda key: key.proof("POST", TOKEN, header={"jwk": dict(key.key.as_dict(private=True))}),
        "other key": lambda key: key.proof("POST", TOKEN, header={"jwk": dict(ec.as_dict(private=False))}),
        "broken key": lambda key: key.proof("POST", TOKEN, header={"jwk": {"kty": "EC", "crv": "P-256", "x": "AA"}}),
        "key of no kind": lambda key: key.proof("POST", TOKEN, header={"jwk": {"kty": ["EC"]}}),
        "unknown crit": lambda key: key.proof("POST", TOKEN, header={"crit": ["jku"], "jku": "https://x.example"}),
        "none": lambda key: sign({"typ": "dpop+jwt", "alg": "none", "jwk": key.public}, {}, key.key) + "AA",
        "symmetric": lambda _: ClientKey(OctKey.generate_key(256), "HS256").proof("POST", TOKEN),
        "RS256": lambda _: ClientKey(RSAKey.generate_key(2048), "RS256").proof("POST", TOKEN),
        "claims are no object": lambda key: sign(
            {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public}, ["jti"], key.key
        ),
    }


@pytest.mark.parametrize("name", wrong_proofs())
def test_a_wrong_proof_is_refused(server: Server, sealer: tuple[str, str], key: ClientKey, name: str) -> None:
    assert error_of(ask(server, sealer, wrong_proofs()[name](key))) == (400, "invalid_dpop_proof")
    assert not AccessToken.objects.exists()


def test_a_proof_is_good_once(server: Server, sealer: tuple[str, str], key: ClientKey) -> None:
    proof = key.proof("POST", TOKEN)
    assert ask(server, sealer, proof).status_code == 200
    assert error_of(ask(server, sealer, proof)) == (400, "invalid_dpop_proof")
    # The same identifier under another key is another proof.
    jti = secrets.token_urlsafe(8)
    for each in (key, ClientKey()):
        assert ask(server, sealer, each.proof("POST", TOKEN, jti=jti)).status_code == 200


def test_a_clock_that_is_a_little_ahead_is_no_reason(server: Server, sealer: tuple[str, str], key: ClientKey) -> None:
    assert ask(server, sealer, key.proof("POST", TOKEN, iat=int(time.time()) + 8)).status_code == 200


def test_a_server_may_want_a_nonce_of_its_own(
    server: Server, sealer: tuple[str, str], key: ClientKey, settings: Any
) -> None:
    settings.DPOP_NONCE_REQUIRED = True
    for made_up in (None, "n", "n:1:x", 7):
        refused = ask(server, sealer, key.proof("POST", TOKEN, nonce=made_up))
        assert error_of(refused) == (400, "use_dpop_nonce")
    nonce = refused["DPoP-Nonce"]
    assert ask(server, sealer, key.proof("POST", TOKEN, nonce=nonce)).status_code == 200


def test_a_client_may_be_held_to_proofs(server: Server, sealer: tuple[str, str], key: ClientKey) -> None:
    Application.objects.filter(client_id=sealer[0]).update(require_dpop=True)
    assert error_of(ask(server, sealer, None)) == (400, "invalid_dpop_proof")
    assert ask(server, sealer, key.proof("POST", TOKEN)).status_code == 200


# --- Codes ---------------------------------------------------------------------------------------------------


def test_a_code_may_be_for_one_key(server: Server, alice: Person, login_code: Login, key: ClientKey) -> None:
    code, pkce = login_code(alice, dpop_jkt=key.thumbprint)
    assert Grant.objects.get().dpop_jkt == key.thumbprint
    for other in (None, ClientKey().proof("POST", TOKEN)):
        assert error_of(redeem(server, code, pkce, other)) == (400, "invalid_grant")
    answer = redeem(server, code, pkce, key.proof("POST", TOKEN))
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")


def test_a_proof_at_the_pushed_request_binds_the_code(server: Server, flow: Flow, key: ClientKey) -> None:
    address = f"{settings.ISSUER}/oauth2/pushed_authorize"

    def push(proof: str, **changes: Any) -> Any:
        form = flow.make(Pkce(), **changes)
        return server.http.post("/authz/oauth2/pushed_authorize", form, headers=basic(GATEWAY) | {"DPoP": proof})

    assert push(key.proof("POST", address)).status_code == 201
    assert push(key.proof("POST", address), dpop_jkt=key.thumbprint).status_code == 201
    assert error_of(push(key.proof("POST", TOKEN))) == (400, "invalid_dpop_proof")
    refused = push(key.proof("POST", address), dpop_jkt=ClientKey().thumbprint)
    assert error_of(refused) == (400, "invalid_dpop_proof")
    malformed = server.push(flow.make(Pkce(), dpop_jkt="short"))
    assert error_of(malformed) == (400, "invalid_request")


def test_a_token_that_approves_is_bound_too(server: Server, flow: Flow, alice: Person, key: ClientKey) -> None:
    pkce = Pkce()
    alice.log_in()
    code = flow.code(alice, pkce)
    answer = redeem(server, code, pkce, key.proof("POST", TOKEN), GATEWAY).json()
    assert answer["token_type"] == "DPoP"
    assert "refresh_token" not in answer
    told = server.introspect(answer["access_token"])
    assert told["cnf"] == {"jkt": key.thumbprint}
    assert told["paraph_approval"]["kind"] == "credential"


# --- Refreshing and userinfo ---------------------------------------------------------------------------------


def refresh(server: Server, token: str, proof: str | None) -> Any:
    return ask(server, SIGNAPP, proof, grant_type="refresh_token", refresh_token=token)


def test_what_was_bound_stays_bound(server: Server, alice: Person, login_code: Login, key: ClientKey) -> None:
    code, pkce = login_code(alice)
    first = redeem(server, code, pkce, key.proof("POST", TOKEN)).json()
    assert error_of(refresh(server, first["refresh_token"], None)) == (400, "invalid_grant")
    # It was refused and not ended: a thief without the key could otherwise end it. A client that proves who it is may
    # come with another key.
    other = ClientKey()
    second = refresh(server, first["refresh_token"], other.proof("POST", TOKEN))
    assert (second.status_code, second.json()["token_type"]) == (200, "DPoP")
    assert server.introspect(second.json()["access_token"])["cnf"] == {"jkt": other.thumbprint}


def test_a_public_client_s_refresh_token_is_its_key_s_alone(
    server: Server, alice: Person, login_code: Login, key: ClientKey
) -> None:
    code, pkce = login_code(alice)
    first = redeem(server, code, pkce, key.proof("POST", TOKEN)).json()
    Application.objects.filter(client_id=SIGNAPP[0]).update(client_type=Application.CLIENT_PUBLIC)

    def ask_publicly(proof: str | None) -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": SIGNAPP[0]}
        return server.http.post("/authz/oauth2/token", form, headers={} if proof is None else {"DPoP": proof})

    for other in (None, ClientKey().proof("POST", TOKEN)):
        assert error_of(ask_publicly(other)) == (400, "invalid_grant")
    assert ask_publicly(key.proof("POST", TOKEN)).status_code == 200
    assert RefreshToken.objects.filter(revoked=None).get().confirmation == {"jkt": key.thumbprint}


def test_userinfo_wants_the_proof(server: Server, alice: Person, login_code: Login, key: ClientKey) -> None:
    code, pkce = login_code(alice)
    token = redeem(server, code, pkce, key.proof("POST", TOKEN)).json()["access_token"]

    def look(scheme: str, proof: str | None, *, value: str = token) -> Any:
        headers = {"Authorization": f"{scheme} {value}"} | ({} if proof is None else {"DPoP": proof})
        return server.http.get("/authz/oauth2/userinfo", headers=headers)

    good = key.proof("GET", USERINFO, token=token)
    assert look("DPoP", good).json()["email"] == alice.email
    refused = [
        look("Bearer", None),
        look("Bearer", key.proof("GET", USERINFO, token=token)),
        look("DPoP", None),
        look("DPoP", good),
        look("DPoP", key.proof("GET", USERINFO)),
        look("DPoP", key.proof("GET", USERINFO, token="x")),
        look("DPoP", key.proof("POST", USERINFO, token=token)),
        look("DPoP", ClientKey().proof("GET", USERINFO, token=token)),
    ]
    for answer in refused:
        assert answer.status_code == 401
        assert "DPoP" in answer["WWW-Authenticate"]


def test_an_unbound_token_is_no_dpop_token(server: Server, alice: Person, login_code: Login, key: ClientKey) -> None:
    code, pkce = login_code(alice)
    token = redeem(server, code, pkce, None).json()["access_token"]
    headers = {"Authorization": f"DPoP {token}", "DPoP": key.proof("GET", USERINFO, token=token)}
    assert server.http.get("/authz/oauth2/userinfo", headers=headers).status_code == 401
