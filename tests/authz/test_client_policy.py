"""What an operator may write into a client's record, and what the record then does; JWT access tokens (RFC 9068)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from authz.models import AccessToken, Application, Authentication
from authz.services import oauth_clients
from authz.services.client_policy import find_faults
from tests.authz.conftest import GATEWAY, SIGNAPP, Flow, Person, Pkce, Server
from tests.support.proofs import ClientKey

KEY = ClientKey(kid="1")
JWKS = {"keys": [KEY.public]}
SIGNS = {"authentication": Authentication.PRIVATE_KEY, "jwks": JWKS}
FAPI = SIGNS | {"fapi_profile": True, "require_dpop": True, "id_token_signed_response_alg": "ES256"}

RP = {"allowed_scopes": "openid"}


def record(**members: Any) -> Application:
    """A foreign client's record, as nobody has kept it yet."""
    kept = {
        "name": "Elsewhere",
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "redirect_uris": "https://elsewhere.example/callback",
        "allowed_scopes": "service credential",
    }
    return Application(**(kept | members))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"require_pkce": False},
        {"client_type": Application.CLIENT_PUBLIC, "require_dpop": True},
        {"redirect_uris": "", "may_act_alone": True},
        SIGNS,
        {"authentication": Authentication.PRIVATE_KEY, "jwks_uri": "https://elsewhere.example/keys"},
        FAPI,
        RP
        | {
            "backchannel_logout_uri": "https://elsewhere.example/out",
            "frontchannel_logout_uri": "https://elsewhere.example/out?a=b",
        },
    ],
)
def test_what_goes_together_may_be_kept(members: dict[str, Any]) -> None:
    assert list(find_faults(application=record(**members))) == []


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("allowed_scopes", {"allowed_scopes": "service admin"}),
        ("redirect_uris", {"redirect_uris": ""}),
        ("redirect_uris", {"redirect_uris": "javascript:alert(1)"}),
        ("redirect_uris", {"redirect_uris": "https://elsewhere.example/*"}),
        ("post_logout_redirect_uris", {"post_logout_redirect_uris": "https://elsewhere.example/bye javascript:x"}),
        ("may_act_alone", {"client_type": Application.CLIENT_PUBLIC, "may_act_alone": True}),
        ("require_pkce", {"client_type": Application.CLIENT_PUBLIC, "require_pkce": False}),
        ("authentication", {"client_type": Application.CLIENT_PUBLIC} | SIGNS),
        ("authentication", {"authentication": Authentication.TLS, "jwks": JWKS}),
        ("tls_bound_tokens", {"tls_bound_tokens": True}),
        ("jwks", {"authentication": Authentication.PRIVATE_KEY}),
        ("jwks", SIGNS | {"jwks": {}}),
        ("jwks", SIGNS | {"jwks": []}),
        ("jwks", SIGNS | {"jwks": {"keys": []}}),
        ("jwks", SIGNS | {"jwks": {"keys": ["x"]}}),
        ("jwks", SIGNS | {"jwks": {"keys": [KEY.key.as_dict(private=True)]}}),
        ("jwks", SIGNS | {"jwks": {"keys": [RSAKey.generate_key(1024).as_dict(private=False)]}}),
        ("jwks_uri", SIGNS | {"jwks_uri": "https://elsewhere.example/keys"}),
        ("jwks_uri", {"jwks_uri": "http://elsewhere.example/keys"}),
        ("jwks_uri", {"jwks_uri": "https://127.0.0.1/keys"}),
        ("fapi_profile", FAPI | {"authentication": Authentication.SECRET}),
        ("fapi_profile", FAPI | {"client_type": Application.CLIENT_PUBLIC}),
        ("fapi_profile", FAPI | {"require_dpop": False}),
        ("require_pkce", FAPI | {"require_pkce": False}),
        ("id_token_signed_response_alg", FAPI | {"id_token_signed_response_alg": "RS256"}),
        ("allowed_scopes", {"backchannel_logout_uri": "https://elsewhere.example/out"}),
        ("backchannel_logout_uri", RP | {"backchannel_logout_uri": "http://elsewhere.example/out"}),
        ("backchannel_logout_uri", RP | {"backchannel_logout_uri": "https://10.0.0.1/out"}),
        ("backchannel_logout_uri", RP | {"backchannel_logout_uri": "https://elsewhere.example/out#x"}),
        ("frontchannel_logout_uri", RP | {"frontchannel_logout_uri": "https://other.example/out"}),
        ("frontchannel_logout_uri", RP | {"frontchannel_logout_uri": "http://elsewhere.example/out"}),
        ("frontchannel_logout_uri", RP | {"frontchannel_logout_uri": "https://elsewhere.example:444/out"}),
        ("frontchannel_logout_uri", RP | {"frontchannel_logout_uri": "https://elsewhere.example/out#x"}),
    ],
)
def test_what_does_not_is_said_beside_its_field(field: str, members: dict[str, Any]) -> None:
    assert field in [name for name, _ in find_faults(application=record(**members))]


def test_the_form_says_what_is_wrong_and_keeps_nothing(alice: Person, foreign: tuple[str, str]) -> None:
    alice.log_in()
    user = alice.user
    user.is_staff = user.is_superuser = True
    user.save()
    kept = Application.objects.get(client_id=foreign[0])
    address = f"/admin/authz/application/{kept.pk}/change/"
    page = alice.browser.get(address)
    assert page.status_code == 200
    assert re.search(r'<textarea name="jwks"[^>]*>\s*</textarea>', page.content.decode()), "no keys are no word"
    assert "View on site" not in page.content.decode()
    form = {
        "name": "Elsewhere",
        "redirect_uris": kept.redirect_uris,
        "allowed_scopes": kept.allowed_scopes,
        "authentication": Authentication.SECRET,
        "jwks": "",
        "jwks_uri": "",
        "id_token_signed_response_alg": "RS256",
        "consent_text": "We file your leases.",
        "require_pkce": "on",
        "fapi_profile": "on",
    }
    refused = alice.browser.post(address, form)
    assert refused.status_code == 200
    assert "proves itself by a key" in refused.content.decode()
    kept.refresh_from_db()
    assert (kept.fapi_profile, kept.consent_text) == (False, "")
    assert alice.browser.post(address, form | {"jwks": "{no JSON"}).status_code == 200
    form.pop("fapi_profile")
    assert alice.browser.post(address, form).status_code == 302
    kept.refresh_from_db()
    assert (kept.consent_text, kept.require_pkce, kept.jwks) == ("We file your leases.", True, None)


def test_a_client_of_the_profile_shares_no_secret_and_must_push(server: Server, foreign: tuple[str, str]) -> None:
    # However its record came about.
    Application.objects.filter(client_id=foreign[0]).update(fapi_profile=True, may_act_alone=True)
    assert server.token({"grant_type": "client_credentials"}, foreign).json()["error"] == "invalid_client"
    pkce = Pkce()
    asked = {"client_id": foreign[0], "response_type": "code", "code_challenge": pkce.challenge}
    asked |= {"redirect_uri": "https://elsewhere.example/callback", "code_challenge_method": "S256"}
    answer = Client().get("/authz/oauth2/authorize", asked | {"scope": "service"})
    assert "error=invalid_request" in answer["Location"]


def test_nobody_registers_a_client_but_an_operator(server: Server) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    assert "registration_endpoint" not in metadata
    assert server.http.post("/authz/oauth2/register", "{}", content_type="application/json").status_code == 404


# --- JWT access tokens -----------------------------------------------------------------------------------------


def test_a_service_token_may_be_a_jwt_that_ends_in_a_minute(
    server: Server, alice: Person, login_code: Callable[..., tuple[str, Pkce]]
) -> None:
    Application.objects.filter(client_id=SIGNAPP[0]).update(jwt_access_tokens=True)
    code, pkce = login_code(alice)
    answer = server.redeem(code, pkce, SIGNAPP).json()
    keys = KeySet.import_key_set(server.http.get("/authz/oauth2/jwks").json())
    seen = set()
    for told in (
        answer,
        server.token({"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}, SIGNAPP).json(),
    ):
        assert told["expires_in"] <= 60
        token = jwt.decode(told["access_token"], keys, algorithms=["RS256"])
        claims = token.claims
        assert token.header["typ"] == "at+jwt"
        assert (claims["iss"], claims["sub"], claims["client_id"]) == (
            settings.ISSUER,
            str(alice.user.sub),
            SIGNAPP[0],
        )
        assert claims["aud"] == [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE]
        assert (claims["acr"], claims["exp"] - claims["iat"]) == ("aal2", 60)
        assert {"jti", "auth_time", "amr", "scope"} <= set(claims)
        seen.add(claims["jti"])
        assert "." not in told["refresh_token"]
    assert len(seen) == 2
    # It is introspected and revoked as any other is.
    assert server.introspect(told["access_token"])["sub"] == str(alice.user.sub)
    assert not server.introspect(answer["access_token"])["active"]
    server.http.post(
        "/authz/oauth2/revoke", {"token": told["access_token"], "client_id": SIGNAPP[0], "client_secret": SIGNAPP[1]}
    )
    assert not server.introspect(told["access_token"])["active"]
    assert AccessToken.objects.filter(token__gt="").count() == 0


def test_a_client_s_own_token_may_be_a_jwt_and_bound(server: Server) -> None:
    application, secret = oauth_clients.create_client(
        name="Invoices", redirect_uris=[], is_public=False, may_act_alone=True
    )
    Application.objects.filter(pk=application.pk).update(jwt_access_tokens=True)
    answer = server.token({"grant_type": "client_credentials"}, (application.client_id, secret)).json()
    keys = KeySet.import_key_set(server.http.get("/authz/oauth2/jwks").json())
    claims = jwt.decode(answer["access_token"], keys, algorithms=["RS256"]).claims
    assert claims["sub"] == claims["client_id"] == application.client_id
    assert server.introspect(answer["access_token"])["gty"] == "client_credentials"


def test_a_token_that_approves_is_never_a_jwt(server: Server, alice: Person, flow: Flow) -> None:
    Application.objects.filter(client_id=GATEWAY[0]).update(jwt_access_tokens=True)
    alice.log_in()
    told = flow.token(alice)
    assert "." not in told["access_token"]
    assert "refresh_token" not in told
