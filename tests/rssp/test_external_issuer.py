"""Tokens of an OpenID provider that is not ours (npm's oidc-provider, run as a process): one signature each, with
credentials that were made for them, and everything else refused before the HSM is asked."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings
from joserfc.jwk import RSAKey

from rssp.checks import check_external_issuer
from rssp.clients import access_tokens, external
from rssp.errors import InvalidTokenError
from rssp.models import Activation, AuditEvent, Credential
from rssp.services.creating_external import create_external_credential
from rssp.services.operating import CONSOLE
from tests.rssp.conftest import ALIAS, ECDSA_SHA256, Asked, Signer, call, digest, have_authority
from tests.rssp.operators import CONSOLE as PROGRAM
from tests.rssp.operators import new_credential, post
from tests.rssp.operators import refused as not_done
from tests.rssp.test_signing import signatures
from tests.support.provider import Provider
from tests.support.softhsm import Token

LEASE, ANNEX = digest("Lease"), digest("Annex")


@pytest.fixture
def provider(running: Provider, settings: Any) -> Iterator[Provider]:
    settings.EXTERNAL_ISSUER = settings.ISSUER = running.issuer
    external.forget()
    yield running
    external.forget()


def own(subject: str = "alice") -> Credential:
    have_authority()
    return create_external_credential(
        subject=subject,
        common_name="Alice Example",
        certificate_policy="demonstration",
        key_algorithm="ec-p256",
        reason="asked for by letter",
        operator=CONSOLE,
    )


@pytest.fixture
def credential(provider: Provider, token: Token) -> Credential:
    return own()


def sign(bearer: str, credential: Credential, *digests: bytes, **members: Any) -> Any:
    body = {
        "credentialID": credential.credential_id,
        "hashes": [base64.b64encode(item).decode() for item in digests or (LEASE,)],
        "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
        "signAlgo": ECDSA_SHA256,
    }
    return call("signatures/signHash", body | members, bearer)


def refused(answer: Any, asked: Asked, status: int = 400) -> None:
    assert (answer.status_code, asked.count) == (status, 0), answer.content


@pytest.mark.parametrize("how", ["jwt", "introspection"])
def test_a_user_of_the_provider_signs_once_with_each_token(
    provider: Provider, credential: Credential, asked: Asked, settings: Any, how: str
) -> None:
    settings.EXTERNAL_TOKENS = how
    client_id = "jwt-application" if how == "jwt" else "opaque-application"
    service = provider.log_in("alice", scope="service", client_id=client_id)
    listed = call("credentials/list", {}, service)
    assert listed.json()["credentialIDs"] == [credential.credential_id]
    described = call("credentials/info", {"credentialID": credential.credential_id, "authInfo": True}, service).json()
    assert (described["SCAL"], described["auth"]["mode"], described["multisign"]) == ("1", "oauth2code", 1)

    approval = provider.log_in("alice", scope="credential", client_id=client_id)
    assert len(signatures(sign(approval, credential))) == 1
    for again in (LEASE, ANNEX):
        assert sign(approval, credential, again).status_code == 400
    assert asked.count == 1
    assert Activation.objects.get(kind="external").num_signatures == 1
    # As the SAD beside a service token of the same user and client; and another one, another signature.
    second = provider.log_in("alice", scope="credential", client_id=client_id)
    assert len(signatures(sign(service, credential, ANNEX, SAD=second))) == 1
    results = AuditEvent.objects.filter(action="sign").order_by("sequence").values_list("result", flat=True)
    assert list(results) == ["signed", "replay", "replay", "signed"]


WRONG: dict[str, Callable[[Provider], str]] = {
    "another audience": lambda provider: provider.make(aud="http://localhost:8000/gateway"),
    "several audiences, none of them ours": lambda provider: provider.make(aud=["a", "b"]),
    "no audience": lambda provider: provider.make(aud=None),
    "another issuer": lambda provider: provider.make(iss="https://evil.example"),
    "no issuer": lambda provider: provider.make(iss=None),
    "the issuer with a slash more": lambda provider: provider.make(iss=f"{provider.issuer}/"),
    "expired": lambda provider: provider.make(exp=int(time.time()) - 1),
    "an end that is a text": lambda provider: provider.make(exp=str(int(time.time()) + 300)),
    "no end": lambda provider: provider.make(exp=None),
    "not valid yet": lambda provider: provider.make(nbf=int(time.time()) + 600),
    "issued in the future": lambda provider: provider.make(iat=int(time.time()) + 600),
    "issued nobody knows when": lambda provider: provider.make(iat=None),
    "no identifier": lambda provider: provider.make(jti=None),
    "an empty identifier": lambda provider: provider.make(jti=""),
    "no subject": lambda provider: provider.make(sub=None),
    "no client": lambda provider: provider.make(client_id=None),
    "a scope that is a number": lambda provider: provider.make(scope=7),
    "an ID token's type": lambda provider: provider.make(header={"typ": "JWT"}),
    "no key named": lambda provider: tampered(provider.make(), kid=None),
    "a key that nobody knows": lambda provider: provider.make(header={"kid": "other"}),
    "another key under the same name": lambda provider: provider.make(key=RSAKey.generate_key(2048)),
    "a critical extension": lambda provider: tampered(provider.make(), crit=["exp"]),
    "alg none": lambda provider: tampered(provider.make(), cut=True, alg="none"),
    "HS256 with the public key": lambda provider: confused(provider),
    "RS512": lambda provider: tampered(provider.make(), alg="RS512"),
    "a key of one's own in the header": lambda provider: own_key(provider),
    "cut short": lambda provider: provider.make()[:-20],
    "changed claims": lambda provider: changed_claims(provider),
}


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def read(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


def tampered(token: str, *, cut: bool = False, **header: Any) -> str:
    heading, claims, signature = token.split(".")
    return ".".join((part(read(heading) | header), claims, "" if cut else signature))


def confused(provider: Provider) -> str:
    """The public key, which everybody has, as the secret of a MAC."""
    signed = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': provider.key.kid})}.{provider.make().split('.')[1]}"
    mac = hmac.digest(provider.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def own_key(provider: Provider) -> str:
    key = RSAKey.generate_key(2048)
    return provider.make(key=key, header={"jwk": key.as_dict(private=False)})


def changed_claims(provider: Provider) -> str:
    heading, claims, signature = provider.make().split(".")
    return ".".join((heading, part(read(claims) | {"sub": "mallory"}), signature))


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_token_that_the_provider_did_not_make_for_us_now_is_refused(
    provider: Provider, credential: Credential, asked: Asked, name: str
) -> None:
    refused(sign(WRONG[name](provider), credential), asked, 401)


def test_what_the_tests_make_is_what_the_provider_makes(provider: Provider, credential: Credential) -> None:
    """Otherwise the refusals above would prove nothing."""
    assert len(signatures(sign(provider.make(), credential))) == 1
    assert len(signatures(sign(provider.make(aud=["other", django_settings.RSSP_RESOURCE]), credential))) == 1
    assert len(signatures(sign(provider.make(client_id=None, azp="keycloak"), credential))) == 1


def test_what_a_token_does_not_open(provider: Provider, credential: Credential, asked: Asked) -> None:
    bobs = own("bob")
    asked = Asked()
    refused(sign(provider.make(), bobs), asked)  # another user's
    refused(sign(provider.make(sub="jwt-application"), credential), asked)  # a client's own
    refused(sign(provider.make(scope="service"), credential), asked)  # a login, no approval
    refused(sign(provider.make(scope="openid email"), credential), asked, 403)
    refused(sign(provider.make(), credential, LEASE, ANNEX), asked)  # two at once
    old = int(time.time()) - 301
    refused(sign(provider.make(iat=old), credential), asked)  # alive, and too old to sign with
    service = provider.make(scope="service")
    for sad in (provider.make(sub="bob"), provider.make(client_id="other"), provider.make(scope="service")):
        refused(sign(service, credential, SAD=sad), asked)
    refused(sign(service, credential, SAD=provider.make(aud="other")), asked)


def test_a_credential_that_no_operator_made_for_such_tokens_is_closed_to_them(
    provider: Provider, alice: Signer, asked: Asked, settings: Any
) -> None:
    """It is the same person's, at the same issuer; and what stands in the token of approvals counts for nothing."""
    settings.CLIENT_TRANSPORT = "config.transport.transport_for"  # not Alice's own server of other tests
    told = {"sub": alice.subject, "authorization_details": [{"type": "credential", "credentialID": "x"}]}
    refused(sign(provider.make(**told), alice.credential), asked)
    told["authorization_details"] = [{"type": "credential", "credentialID": alice.credential.credential_id}]
    refused(sign(provider.make(**told, paraph_approval={"version": 1}), alice.credential), asked)
    alice.credential.auth_mode = "external"  # in the database, behind the service's back
    alice.credential.save()
    assert sign(provider.make(sub=alice.subject), alice.credential).status_code >= 400
    assert asked.count == 0


def test_one_identifier_is_one_signature_whatever_token_bears_it(
    provider: Provider, credential: Credential, asked: Asked
) -> None:
    assert sign(provider.make(jti="same"), credential).status_code == 200
    assert sign(provider.make(jti="same", scope="credential openid"), credential).status_code == 400
    other = own()
    asked = Asked()
    shared = provider.make()
    assert sign(shared, credential).status_code == 200
    assert sign(shared, other, ANNEX).status_code == 400
    assert asked.count == 1


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_of_parallel_calls_with_one_token_one_signs(provider: Provider, credential: Credential, asked: Asked) -> None:
    bearer = provider.make()

    def try_it(text: str) -> int:
        try:
            return int(sign(bearer, credential, digest(text)).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(try_it, "abcdefgh"))
    assert statuses == [200] + [400] * 7
    assert asked.count == 1


def test_a_provider_that_is_away_or_says_odd_things_opens_nothing_and_is_not_asked_for_each_token(
    provider: Provider, credential: Credential, asked: Asked, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = provider.make()
    asked_for: list[str] = []
    answers: dict[str, Any] = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/jwks", "keys": []}

    def handle(request: httpx.Request) -> httpx.Response:
        asked_for.append(str(request.url))
        return httpx.Response(200, json=answers)

    mock = httpx.Client(transport=httpx.MockTransport(handle))
    monkeypatch.setattr(external, "client_for", lambda _address: mock)
    odd: list[dict[str, Any]] = [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "http://localhost:1/keys"},
        {"jwks_uri": 7},
        {"keys": "none"},
        {"keys": [{}] * 51},
        {"padding": "x" * 300_000},
    ]
    for change in odd:
        external.forget()
        answers = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/jwks", "keys": []} | change
        refused(sign(bearer, credential), asked, 503)
    assert all(url.startswith(provider.issuer) for url in asked_for)
    external.forget()
    asked_for.clear()
    answers = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/jwks", "keys": [None, {"kty": "oct"}]}
    for _ in range(5):
        refused(sign(provider.make(header={"kid": "new"}), credential), asked, 401)
    assert len(asked_for) == 2  # the metadata and the keys, once


@pytest.mark.parametrize("says", [{"token_use": "refresh_token"}, {"typ": "Refresh"}, {"typ": ["Bearer"]}])
def test_a_refresh_token_that_a_provider_calls_active_signs_nothing(
    provider: Provider,
    credential: Credential,
    asked: Asked,
    settings: Any,
    says: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.EXTERNAL_TOKENS = "introspection"
    claims = {
        "active": True,
        "sub": "alice",
        "client_id": "c",
        "scope": "credential",
        "jti": "x",
        "aud": provider.resource,
    }
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + 300}
    told = httpx.MockTransport(lambda _request: httpx.Response(200, json=claims | says))
    monkeypatch.setattr("rssp.clients.introspection.client_for", lambda _address: httpx.Client(transport=told))
    refused(sign("opaque", credential), asked, 401)
    says.clear()
    assert sign("opaque", credential).status_code == 200


def test_a_new_key_is_found_by_its_name(
    provider: Provider, credential: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "_PAUSE_SECONDS", 0.0)
    assert sign(provider.make(header={"kid": "new"}), credential).status_code == 401
    external._kept[provider.issuer].keys.clear()
    assert sign(provider.make(), credential).status_code == 200


_JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=8),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=6), inner),
    max_leaves=6,
)
_HEADERS = strategies.fixed_dictionaries(
    {},
    optional={
        "alg": strategies.sampled_from(["RS256", "none", "HS256", "ES256"]) | _JSON,
        "typ": strategies.sampled_from(["at+jwt", "JWT"]) | _JSON,
        "kid": strategies.text(max_size=5) | _JSON,
        "crit": _JSON,
        "b64": _JSON,
    },
)


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    token=strategies.text(max_size=60)
    | strategies.builds(
        lambda header, claims, end: f"{part(header)}.{part({'x': claims})}.{end}",
        _HEADERS,
        _JSON,
        strategies.text("abcDEF012_-=.", max_size=20),
    )
)
def test_whatever_is_sent_as_a_token_is_refused_and_nothing_breaks(provider: Provider, token: str) -> None:
    with pytest.raises(InvalidTokenError):
        access_tokens.verify_claims(token)


def test_a_token_longer_than_any_is_not_looked_into(provider: Provider) -> None:
    with pytest.raises(InvalidTokenError, match="too long"):
        access_tokens.verify_claims(provider.make(padding="x" * 9000))


def test_the_command_makes_one_where_there_is_a_provider(
    provider: Provider, token: Token, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    have_authority()
    told = ("create_external_credential", "--subject", "carol", "--common-name", "Carol", "--reason", "a letter")
    call_command(*told)
    made = Credential.objects.get(credential_id=capsys.readouterr().out.strip())
    assert (made.issuer, made.subject, made.scal, made.auth_mode) == (provider.issuer, "carol", "1", "external")
    settings.EXTERNAL_ISSUER = ""
    with pytest.raises(CommandError):
        call_command(*told)


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, {"rssp.W060"}),
        ({"EXTERNAL_APPROVAL_SECONDS": 3600}, {"rssp.W060", "rssp.E060"}),
        ({"EXTERNAL_ISSUER": ""}, set()),
    ],
)
def test_weak_settings_are_said(settings: Any, changes: dict[str, Any], ids: set[str]) -> None:
    settings.EXTERNAL_ISSUER = "https://login.example/realms/paraph"
    for name, value in changes.items():
        setattr(settings, name, value)
    assert {message.id for message in check_external_issuer()} == ids


# --- By the operators' API --------------------------------------------------------------------------------------


@pytest.fixture
def operator(provider: Provider, token: Token, settings: Any) -> str:
    """A token of somebody who is an operator by that provider's word, as everybody's are who uses its service."""
    have_authority()
    settings.OPERATOR_API_CLIENTS = {PROGRAM: ""}
    return provider.make(scope="operator", sub="bob", client_id=PROGRAM)


def test_an_operator_s_program_makes_a_credential_that_the_provider_s_token_opens(
    provider: Provider, operator: str
) -> None:
    wanted = new_credential(mode="external", subject="alice", objects=None)
    made = post("credentials", wanted, operator, "one")
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["auth_mode"], told["issuer"], told["subject"]) == ("external", provider.issuer, "alice")
    assert (told["scal"], told["status"]) == ("1", "enabled")
    assert post("credentials", wanted, operator, "one").json() == told
    credential = Credential.objects.get()
    assert len(signatures(sign(provider.log_in("alice", scope="credential"), credential))) == 1
    assert sign(provider.make(sub="somebody"), credential).status_code == 400
    event = AuditEvent.objects.filter(credential_id=credential.credential_id).earliest("sequence")
    assert event.reason == f"external; by {provider.issuer}#bob: {wanted['reason']}"


def test_a_program_s_credential_for_the_provider_has_no_factors_of_its_own(provider: Provider, operator: str) -> None:
    wanted = new_credential(mode="external", objects=None)
    passkey = [{"name": "KEY", "kind": "passkey"}]
    for name, value in (("objects", []), ("objects", passkey), ("expression", "KEY"), ("scal", "1"), ("multisign", 1)):
        not_done(post("credentials", wanted | {name: value}, operator), 400, "invalid_request")
    not_done(post("credentials", wanted, provider.make()), 403, "insufficient_scope")
    stranger = provider.make(scope="operator", sub="bob", client_id="stranger")
    not_done(post("credentials", wanted, stranger), 403, "access_denied")
    assert not Credential.objects.exists()
