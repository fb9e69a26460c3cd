"""Clients that prove who they are by a key (RFC 7523, FAPI 2.0, 5.3.2.1; yardstick D12) or a certificate (RFC 8705)."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.cache import cache
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from authz.clients import outbound
from authz.errors import OutboundError
from authz.models import Application, Authentication
from authz.services import oauth_clients
from authz.services.client_assertions import ASSERTION_TYPE
from tests.authz.conftest import Pkce, Server, basic
from tests.support.dripping import BODY, HEAD, dripping
from tests.support.proofs import ClientKey, sign

CALLBACK = "https://elsewhere.example/callback"
TOKEN = f"{settings.ISSUER}/oauth2/token"


@pytest.fixture
def key() -> ClientKey:
    return ClientKey(kid="1")


@pytest.fixture
def client(key: ClientKey) -> Application:
    """A client that seals, with a key and no use for its secret."""
    application, _ = oauth_clients.create_client(
        name="Invoices", redirect_uris=[CALLBACK], is_public=False, may_act_alone=True
    )
    application.authentication = Authentication.PRIVATE_KEY
    application.jwks = {"keys": [key.public]}
    application.save()
    return application


def ask(server: Server, assertion: str, **form: Any) -> Any:
    told = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, "grant_type": "client_credentials"}
    return server.http.post("/authz/oauth2/token", {k: v for k, v in (told | form).items() if v is not None})


def assert_refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "signer",
    [
        ClientKey(kid="1"),
        ClientKey(ECKey.generate_key("P-384"), "ES384", "1"),
        ClientKey(RSAKey.generate_key(2048), "PS256", "1"),
        ClientKey(RSAKey.generate_key(2048), "RS256"),
        ClientKey(OKPKey.generate_key("Ed25519"), "EdDSA"),
        ClientKey(OKPKey.generate_key("Ed25519"), "Ed25519"),
    ],
    ids=lambda signer: signer.alg,
)
def test_a_key_proves_who_the_client_is(server: Server, client: Application, signer: ClientKey) -> None:
    client.jwks = {"keys": [signer.public]}
    client.save()
    answer = ask(server, signer.assertion(client.client_id, settings.ISSUER))
    assert answer.status_code == 200, answer.content


def test_the_fapi_profile_knows_no_rs256(server: Server, client: Application) -> None:
    signer = ClientKey(RSAKey.generate_key(2048), "RS256")
    client.jwks, client.fapi_profile = {"keys": [signer.public]}, True
    client.save()
    assert_refused(ask(server, signer.assertion(client.client_id, settings.ISSUER)))


def wrong_assertions() -> dict[str, Callable[[ClientKey, str], str]]:
    now, issuer = int(time.time()), settings.ISSUER
    return {
        "alg none": lambda key, me: sign({"alg": "none"}, {"iss": me, "sub": me, "aud": issuer}, key.key) + "AA",
        "symmetric": lambda _, me: ClientKey(OctKey.generate_key(256), "HS256").assertion(me, issuer),
        "another key": lambda _, me: ClientKey(kid="1").assertion(me, issuer),
        "unknown kid": lambda key, me: key.assertion(me, issuer, header={"kid": "2"}),
        "odd kid": lambda key, me: key.assertion(me, issuer, header={"kid": ""}),
        "token endpoint as aud": lambda key, me: key.assertion(me, TOKEN),
        "array as aud": lambda key, me: key.assertion(me, [issuer]),
        "no aud": lambda key, me: key.assertion(me, None),
        "expired": lambda key, me: key.assertion(me, issuer, exp=now - 300),
        "no exp": lambda key, me: key.assertion(me, issuer, exp=None),
        "exp of another type": lambda key, me: key.assertion(me, issuer, exp="soon"),
        "lives a day": lambda key, me: key.assertion(me, issuer, exp=now + 86400),
        "iat over a minute ahead": lambda key, me: key.assertion(me, issuer, iat=now + 65),
        "nbf over a minute ahead": lambda key, me: key.assertion(me, issuer, nbf=now + 65),
        "no jti": lambda key, me: key.assertion(me, issuer, jti=None),
        "another iss": lambda key, me: key.assertion(me, issuer, iss="paraph-gateway"),
        "another sub": lambda key, me: key.assertion(me, issuer, sub="paraph-gateway"),
        "sub is no string": lambda key, me: key.assertion(me, issuer, sub=[me]),
        "crit": lambda key, me: key.assertion(me, issuer, header={"crit": ["jku"], "jku": "https://x.example"}),
        "no JWT": lambda *_: "x.y.z",
        "nothing": lambda *_: "",
    }


@pytest.mark.parametrize("name", wrong_assertions())
def test_a_wrong_assertion_proves_nothing(server: Server, client: Application, key: ClientKey, name: str) -> None:
    assert_refused(ask(server, wrong_assertions()[name](key, client.client_id)))


def test_a_clock_that_is_8_seconds_ahead_passes(server: Server, client: Application, key: ClientKey) -> None:
    ahead = int(time.time()) + 8
    assert ask(server, key.assertion(client.client_id, settings.ISSUER, iat=ahead, nbf=ahead)).status_code == 200


def test_an_assertion_is_good_once(server: Server, client: Application, key: ClientKey) -> None:
    assertion = key.assertion(client.client_id, settings.ISSUER)
    assert ask(server, assertion).status_code == 200
    assert_refused(ask(server, assertion))


def test_nothing_else_proves_it_and_nothing_stands_beside_it(
    server: Server, client: Application, key: ClientKey
) -> None:
    secret = "a" * 43
    client.client_secret = oauth_clients.seal_client_secret(secret)
    client.save()
    by_secret = server.token({"grant_type": "client_credentials"}, (client.client_id, secret))
    assert_refused(by_secret)

    def fresh() -> str:
        return key.assertion(client.client_id, settings.ISSUER)

    assert_refused(ask(server, fresh(), client_secret=secret))
    assert_refused(ask(server, fresh(), client_id="paraph-gateway"))
    assert_refused(ask(server, fresh(), client_assertion_type="x"))
    assert_refused(ask(server, fresh(), client_assertion_type=None))
    form = {"grant_type": "client_credentials", "client_assertion": fresh(), "client_assertion_type": ASSERTION_TYPE}
    header = basic((client.client_id, secret))
    assert_refused(server.http.post("/authz/oauth2/token", form, headers=header))
    assert ask(server, fresh(), client_id=client.client_id).status_code == 200
    # And a client of a secret has no use for an assertion.
    Application.objects.filter(pk=client.pk).update(authentication=Authentication.SECRET)
    assert_refused(ask(server, fresh()))


def test_every_endpoint_that_asks_takes_it(server: Server, client: Application, key: ClientKey) -> None:
    token = ask(server, key.assertion(client.client_id, settings.ISSUER)).json()["access_token"]

    def post(endpoint: str, **form: Any) -> Any:
        proof = {"client_assertion": key.assertion(client.client_id, settings.ISSUER)}
        form = proof | {"client_assertion_type": ASSERTION_TYPE} | form
        return server.http.post(f"/authz/oauth2/{endpoint}", form)

    pkce = Pkce()
    asked = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "service", "code_challenge_method": "S256"}
    assert post("pushed_authorize", code_challenge=pkce.challenge, **asked).status_code == 201
    assert post("introspect", token=token).json() == {"active": False}
    assert post("bc-authorize", scope="credential", login_hint="x").json()["error"] == "unauthorized_client"
    assert post("revoke", token=token).status_code == 200
    assert not server.introspect(token)["active"]
    wrong = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": "x.y.z", "token": token}
    for endpoint in ("pushed_authorize", "introspect", "bc-authorize", "revoke"):
        assert_refused(server.http.post(f"/authz/oauth2/{endpoint}", wrong))


# --- Keys at an address of the client's ------------------------------------------------------------------------


class KeyServer(ThreadingHTTPServer):
    body: bytes = b""
    status = 200
    asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Location", "http://localhost:1/")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def keys_at() -> Iterator[KeyServer]:
    cache.clear()
    with KeyServer(("127.0.0.1", 0), _Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


def test_keys_are_fetched_kept_and_fetched_again_for_a_new_one(
    server: Server, client: Application, key: ClientKey, keys_at: KeyServer, settings: Any
) -> None:
    settings.CLIENT_URI_HOSTS = ("localhost",)
    client.jwks, client.jwks_uri = None, f"http://localhost:{keys_at.server_port}/keys"
    client.save()
    keys_at.body = json.dumps({"keys": [key.public]}).encode()
    for _ in range(3):
        assert ask(server, key.assertion(client.client_id, settings.ISSUER)).status_code == 200
    assert keys_at.asked == 1
    rolled = ClientKey(kid="2")
    keys_at.body = json.dumps({"keys": [key.public, rolled.public]}).encode()
    # Nobody makes this server ask all the time.
    for _ in range(3):
        assert_refused(ask(server, rolled.assertion(client.client_id, settings.ISSUER)))
    assert keys_at.asked == 1
    cache.delete(f"authz:jwks-asked:{client.jwks_uri}")
    assert ask(server, rolled.assertion(client.client_id, settings.ISSUER)).status_code == 200
    assert keys_at.asked == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"x", b'{"keys": 1}', b'{"keys": [1]}', b"9" * 100_000])
def test_what_is_no_key_set_proves_nothing(
    server: Server, client: Application, key: ClientKey, keys_at: KeyServer, settings: Any, body: bytes
) -> None:
    settings.CLIENT_URI_HOSTS = ("localhost",)
    client.jwks, client.jwks_uri = None, f"http://localhost:{keys_at.server_port}/keys"
    client.save()
    keys_at.body, keys_at.status = body, 302 if body == b"" else 200
    assert_refused(ask(server, key.assertion(client.client_id, settings.ISSUER)))


@pytest.mark.parametrize(
    "url",
    [
        "http://keys.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://user@keys.example/",
        "file:///etc/passwd",
        "gopher://keys.example/",
        "https://keys.example/#x",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "",
    ],
)
def test_no_inner_address_is_called(url: str) -> None:
    with pytest.raises(OutboundError):
        outbound.get_object(url)


@pytest.mark.parametrize("answer", [HEAD, BODY], ids=["head", "body"])
def test_h3_an_address_that_drips_is_left_when_the_time_is_up(
    answer: bytes, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLIENT_URI_HOSTS = ("localhost",)
    monkeypatch.setattr(outbound, "SECONDS", 0.5)
    begun = time.monotonic()
    with dripping(answer) as url, pytest.raises(OutboundError, match="took too long"):
        outbound.get_object(url)
    assert time.monotonic() - begun < 2


# --- A certificate in place of an assertion ---------------------------------------------------------------------


def make_certificate(key: ec.EllipticCurvePrivateKey) -> str:
    """Self-signed, as a proxy hands it over: the DER in base64 between colons (RFC 9440)."""
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Client")]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return f":{base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()}:"


def test_a_registered_certificate_s_key_proves_who_the_client_is(
    server: Server, client: Application, key: ClientKey, settings: Any
) -> None:
    settings.CLIENT_CERTIFICATE_HEADER, settings.TRUSTED_PROXIES = "Client-Cert", ["127.0.0.1"]
    own, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    registered = ECKey.import_key(own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    client.jwks = {"keys": [key.public, registered.as_dict(private=False)]}
    client.authentication = Authentication.TLS
    client.save()

    def show(certificate: str | None) -> Any:
        headers = {} if certificate is None else {"Client-Cert": certificate}
        form = {"grant_type": "client_credentials", "client_id": client.client_id}
        return server.http.post("/authz/oauth2/token", form, headers=headers)

    assert show(make_certificate(own)).status_code == 200
    for certificate in (make_certificate(other), None, ""):
        assert_refused(show(certificate))
    assert show("x").json()["error"] == "invalid_request"
    assert_refused(ask(server, key.assertion(client.client_id, settings.ISSUER)))
    settings.TRUSTED_PROXIES = ["192.0.2.1"]
    assert_refused(show(make_certificate(own)))
