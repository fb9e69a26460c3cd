"""A token that is bound to a key or a certificate, from authz to the two resource servers: its holder's and nobody
else's (yardstick D17)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.conf import settings as django_settings
from django.test import Client

from authz.models import Application
from tests.authz.conftest import SIGNAPP, Person, Pkce, Server, alice, basic, clients, login_code, server
from tests.support.proofs import ClientKey

__all__ = ["alice", "clients", "login_code", "server"]

pytestmark = pytest.mark.django_db(
    databases=["default", *{"gateway", "rssp"} & set(django_settings.DATABASES)], transaction=True
)

Login = Callable[..., tuple[str, Pkce]]
TOKEN = f"{django_settings.ISSUER}/oauth2/token"


@dataclass(frozen=True)
class Resource:
    """One call of a resource server, and what it answers to somebody it knows."""

    method: str
    path: str
    base: str
    good: int

    @property
    def url(self) -> str:
        return f"{self.base}{self.path}"

    def call(self, scheme: str, token: str, proof: str | None = None, **headers: str) -> Any:
        sent = {"Authorization": f"{scheme} {token}", **headers} | ({} if proof is None else {"DPoP": proof})
        if self.method == "POST":
            return Client().post(self.path, "{}", content_type="application/json", headers=sent)
        return Client().get(self.path, headers=sent)


RESOURCES = {
    "rssp": Resource("POST", "/csc/v2/credentials/list", django_settings.RSSP_URL, 200),
    "rssp v1": Resource("POST", "/csc/v1/credentials/list", django_settings.RSSP_URL, 200),
    "gateway": Resource("GET", f"/gateway/v1/jobs/{uuid.uuid4()}", django_settings.GATEWAY_URL, 404),
}


def redeem(server: Server, code: str, pkce: Pkce, **headers: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier}
    form["redirect_uri"] = django_settings.LOGIN_REDIRECT_URI
    answer = server.http.post("/authz/oauth2/token", form, headers=basic(SIGNAPP) | headers)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def assert_refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert "DPoP" in answer["WWW-Authenticate"]
    assert "Bearer" in answer["WWW-Authenticate"]


def test_a_bound_token_opens_nothing_without_its_key(server: Server, alice: Person, login_code: Login) -> None:
    key = ClientKey()
    code, pkce = login_code(alice)
    token = redeem(server, code, pkce, DPoP=key.proof("POST", TOKEN))["access_token"]
    for resource in RESOURCES.values():
        refuse_all_but_the_holder(resource, key, token)


def refuse_all_but_the_holder(resource: Resource, key: ClientKey, token: str) -> None:
    other = ClientKey()
    proof = key.proof(resource.method, resource.url, token=token)
    assert resource.call("DPoP", token, proof).status_code == resource.good
    refused = {
        "without proof": resource.call("DPoP", token),
        "as bearer": resource.call("Bearer", token),
        "as bearer with proof": resource.call("Bearer", token, key.proof(resource.method, resource.url, token=token)),
        "another key": resource.call("DPoP", token, other.proof(resource.method, resource.url, token=token)),
        "replayed": resource.call("DPoP", token, proof),
        "wrong htu": resource.call("DPoP", token, key.proof(resource.method, TOKEN, token=token)),
        "wrong htm": resource.call("DPoP", token, key.proof("PUT", resource.url, token=token)),
        "no ath": resource.call("DPoP", token, key.proof(resource.method, resource.url)),
        "ath of another": resource.call("DPoP", token, key.proof(resource.method, resource.url, token="x")),
        "too old": resource.call("DPoP", token, key.proof(resource.method, resource.url, token=token, iat=1)),
        "no jti": resource.call("DPoP", token, key.proof(resource.method, resource.url, token=token, jti=None)),
        "private key": resource.call(
            "DPoP",
            token,
            key.proof(resource.method, resource.url, token=token, header={"jwk": key.key.as_dict(private=True)}),
        ),
        "broken key": resource.call(
            "DPoP", token, key.proof(resource.method, resource.url, token=token, header={"jwk": {"kty": "EC"}})
        ),
        "two proofs": resource.call(
            "DPoP", token, ",".join(key.proof(resource.method, resource.url, token=token) for _ in range(2))
        ),
        "no proof at all": resource.call("DPoP", token, "x"),
    }
    for name, answer in refused.items():
        assert answer.status_code == 401, name
        assert_refused(answer)
    assert 'DPoP error="invalid_dpop_proof"' in refused["replayed"]["WWW-Authenticate"]
    again = key.proof(resource.method, resource.url, token=token)
    assert resource.call("DPoP", token, again).status_code == resource.good


def test_an_unbound_token_is_a_bearer_token_alone(server: Server, alice: Person, login_code: Login) -> None:
    key = ClientKey()
    code, pkce = login_code(alice)
    token = redeem(server, code, pkce)["access_token"]
    for resource in RESOURCES.values():
        assert resource.call("Bearer", token).status_code == resource.good
        assert_refused(resource.call("DPoP", token, key.proof(resource.method, resource.url, token=token)))


def make_certificate() -> str:
    """As nginx hands it over: PEM, URL-encoded."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Client")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return quote(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode())


def test_a_token_may_be_bound_to_a_certificate(server: Server, alice: Person, login_code: Login, settings: Any) -> None:
    settings.CLIENT_CERTIFICATE_HEADER, settings.TRUSTED_PROXIES = "X-Client-Cert", ["127.0.0.1"]
    Application.objects.filter(client_id=SIGNAPP[0]).update(tls_bound_tokens=True)
    own, other = make_certificate(), make_certificate()
    code, pkce = login_code(alice)
    answer = redeem(server, code, pkce, **{"X-Client-Cert": own})
    token = answer["access_token"]
    assert answer["token_type"] == "Bearer"
    assert set(server.introspect(token)["cnf"]) == {"x5t#S256"}
    for resource in RESOURCES.values():
        assert resource.call("Bearer", token, **{"X-Client-Cert": own}).status_code == resource.good
        for shown in (other, "", "x", "-----BEGIN CERTIFICATE-----"):
            assert_refused(resource.call("Bearer", token, **{"X-Client-Cert": shown}))
    # What anybody but the proxy says counts for nothing.
    settings.TRUSTED_PROXIES = ["192.0.2.1"]
    for resource in RESOURCES.values():
        assert_refused(resource.call("Bearer", token, **{"X-Client-Cert": own}))
