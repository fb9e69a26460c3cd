"""Another OpenID provider in authz's place: whose tokens are taken, and which of its answers approve a signature."""

import base64
import hmac
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from django.conf import settings as django_settings

from gateway import documents
from gateway.clients import external
from gateway.models import Job
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support.pdfs import make_pdf
from tests.support.provider import bent
from tests.support.provider.bent import ISSUER, OTHER_KEY, Bent, sign


@pytest.fixture
def provider(remote: Remote, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bent]:
    settings.EXTERNAL_ISSUER = settings.ISSUER = ISSUER
    settings.CLIENT_TRANSPORT = "tests.support.provider.bent.transport_for"
    monkeypatch.setattr(bent, "current", fresh := Bent(elsewhere=remote.handle))
    external.forget()
    yield fresh
    external.forget()


@pytest.fixture
def alice(provider: Bent, remote: Remote) -> User:
    subject = str(uuid.uuid4())
    token = provider.access_token(subject, **audiences())
    remote.service_tokens[token] = {"sub": subject}
    return User(subject, token, remote)


def audiences() -> dict[str, Any]:
    return {"aud": [django_settings.GATEWAY_RESOURCE, django_settings.RSSP_RESOURCE]}


def ask(alice: User, job_id: str) -> str:
    answer = alice.ask(job_id)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["authorization_url"])


def grant(remote: Remote, job_id: str, token: str) -> None:
    """The signing service takes the token for one signature, of whatever digest; here of this one."""
    job = Job.objects.get(pk=job_id)
    detail = {
        "credentialID": job.credential_id,
        "documentDigests": [{"hash": job.digest}],
        "hashAlgorithmOID": job.hash_algorithm_oid,
    }
    remote.granted[token] = {"sub": job.subject, "details": [detail]}


@pytest.mark.parametrize("pushes", [False, True])
def test_what_is_asked_says_nothing_of_the_document_and_asks_for_a_new_login(
    alice: User, provider: Bent, prepared: str, pushes: bool
) -> None:
    if pushes:
        provider.metadata["pushed_authorization_request_endpoint"] = f"{ISSUER}/par"
        external.forget()
    url = ask(alice, prepared)
    assert url.startswith(f"{ISSUER}/auth?")
    query = {name: values[0] for name, values in parse_qs(httpx.URL(url).query.decode()).items()}
    assert query["client_id"] == "paraph-gateway"
    form = provider.forms[-1] if pushes else query
    assert ("request_uri" in query) == pushes
    assert form["prompt"].split() == ["login", "consent"]
    assert (form["scope"], form["max_age"], form["code_challenge_method"]) == ("openid credential", "1", "S256")
    assert (form["resource"], form["redirect_uri"]) == (
        django_settings.RSSP_RESOURCE,
        django_settings.APPROVAL_REDIRECT_URI,
    )
    assert set(form) == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "prompt", "max_age", "resource"),
    }


def test_a_provider_of_before_is_asked_for_an_audience(
    alice: User, provider: Bent, prepared: str, settings: Any
) -> None:
    settings.EXTERNAL_AUDIENCE_PARAMETER = "audience"
    provider.metadata["authorization_endpoint"] = f"{ISSUER}/auth?tenant=a"
    external.forget()
    url = ask(alice, prepared)
    query = parse_qs(httpx.URL(url).query.decode())
    assert (query["audience"], query["tenant"], "resource" in query) == ([django_settings.RSSP_RESOURCE], ["a"], False)
    assert alice.complete(prepared, provider.authorize(url, alice.subject)).status_code == 202
    assert "resource" not in provider.forms[-1]


@pytest.mark.parametrize("honest", [True, False])
def test_a_login_made_for_it_signs_once_and_what_comes_back_must_fit(
    alice: User, provider: Bent, remote: Remote, prepared: str, work: Callable[[str], None], honest: bool
) -> None:
    answer = alice.complete(prepared, provider.authorize(ask(alice, prepared), alice.subject))
    assert (answer.status_code, answer.json()["state"]) == (202, "approved")
    grant(remote, prepared, documents.decrypt_text(Job.objects.get(pk=prepared).token))
    if not honest:
        remote.sign_with = remote.authority.issue("Mallory")
    work(prepared)
    job = alice.job(prepared)
    if honest:
        assert (job["state"], job["signed"]["level"]) == ("signed", "B-B")
    else:
        assert (job["state"], job["error"]["code"], job["signed"]) == ("failed", "invalid_signature", None)
    assert remote.calls["signHash"] == 1


def _hs256(claims: dict[str, Any]) -> str:
    """The public key, which everybody has, as the secret of a MAC."""
    signed = sign(claims).split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    mac = hmac.digest(bent.KEY.as_pem(private=False), f"{header}.{signed}".encode(), "sha256")
    return f"{header}.{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


ID_TOKENS: dict[str, dict[str, Any]] = {
    "for another client": {"aud": "paraph-signapp"},
    "for another client beside us": {"aud": ["paraph-gateway", "other"], "azp": "other"},
    "for several, and nobody says which": {"aud": ["paraph-gateway", "other"]},
    "of another authorised party": {"azp": "other"},
    "of another issuer": {"iss": "https://evil.example"},
    "of the issuer with a slash more": {"iss": f"{ISSUER}/"},
    "of another request": {"nonce": "n" * 43},
    "without a nonce": {"nonce": None},
    "that has ended": {"exp": int(time.time()) - 1},
    "without an end": {"exp": None},
    "of tomorrow": {"iat": int(time.time()) + 86400},
    "without a time": {"iat": None},
    "of another person": {"sub": "mallory"},
    "of nobody": {"sub": None},
    "of a number": {"sub": 7},
    "after an old login": {"auth_time": int(time.time()) - 300},
    "that does not say when the login was": {"auth_time": None},
    "that says it in words": {"auth_time": "now"},
    "with an access token's type": {"make": lambda claims: sign(claims, typ="at+jwt")},
    "by another key": {"make": lambda claims: sign(claims, key=OTHER_KEY)},
    "by a key that nobody knows": {"make": lambda claims: sign(claims, kid="two")},
    "without a key's name": {"make": lambda claims: sign(claims, kid=None)},
    "by a MAC with the public key": {"make": _hs256},
    "without a signature": {"make": lambda claims: sign(claims).rsplit(".", 1)[0] + "."},
    "that is none": {"make": lambda _claims: "x.y.z"},
    "that is too long": {"make": lambda claims: sign({**claims, "padding": "x" * 20000})},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "no ID token": {"id_token": None},
    "another scope": {"scope": "openid service"},
    "another kind of token": {"token_type": "DPoP"},
    "no end": {"expires_in": None},
    "an end in words": {"expires_in": "300"},
    "no token": {"access_token": None},
}


def test_an_answer_that_is_not_for_this_signer_now_approves_nothing(alice: User, provider: Bent, prepared: str) -> None:
    for name in (*ID_TOKENS, *ANSWERS):
        changes = dict(ID_TOKENS.get(name, {}))
        provider.make_id_token = changes.pop("make", sign)
        provider.claims, provider.token_answer = changes, ANSWERS.get(name, {})
        code = provider.authorize(ask(alice, prepared), alice.subject)
        answer = alice.complete(prepared, code)
        assert (answer.status_code, answer.json().get("error")) == (403, "approval_refused"), name
        job = Job.objects.get(pk=prepared)
        assert (job.state, job.token, job.approval_secrets) == ("authorizing", "", ""), name
    # A second call finds no verifier any more: the signer is asked anew, and then a right one counts.
    assert alice.complete(prepared, code).json()["state"] == "authorizing"
    provider.make_id_token, provider.claims, provider.token_answer = sign, {}, {}
    code = provider.authorize(ask(alice, prepared), alice.subject)
    assert alice.complete(prepared, code).json()["state"] == "approved"


def test_what_has_not_changed_may_be_left_out(alice: User, provider: Bent, prepared: str) -> None:
    provider.token_answer = {"scope": None}
    provider.claims = {"aud": ["other", "paraph-gateway"], "azp": "paraph-gateway", "email_verified": False}
    code = provider.authorize(ask(alice, prepared), alice.subject)
    assert alice.complete(prepared, code).json()["state"] == "approved"


def test_a_code_of_another_request_approves_nothing(
    alice: User, provider: Bent, prepared: str, credential_id: str
) -> None:
    other = alice.open_job(make_pdf(pages=2)).json()["job_id"]
    alice.prepare(other, credential_id)
    code = provider.authorize(ask(alice, other), alice.subject)
    ask(alice, prepared)
    answer = alice.complete(prepared, code)
    assert (answer.status_code, answer.json()["error"]) == (410, "approval_expired")
    assert alice.complete(prepared, code, iss="https://evil.example").json()["error"] == "approval_refused"


def test_a_provider_that_is_away_spends_nothing(alice: User, provider: Bent, prepared: str) -> None:
    code = provider.authorize(ask(alice, prepared), alice.subject)
    provider.is_away = True
    assert alice.complete(prepared, code).status_code == 503
    external.forget()
    assert alice.complete(prepared, code).status_code == 503
    provider.is_away = False
    external.forget()
    assert alice.complete(prepared, code).json()["state"] == "approved"


def test_what_only_authz_approves_is_refused_by_name(alice: User, provider: Bent, prepared: str) -> None:
    del provider
    asked: list[tuple[str, dict[str, Any]]] = [
        ("batches", {"jobs": [prepared], "policy": "all_or_nothing"}),
        ("credential-requests", {"certificate_policy": "demonstration", "key_algorithm": "ec-p256", "state": "s" * 43}),
    ]
    for path, body in asked:
        answer = alice.call("POST", path, body)
        assert (answer.status_code, answer.json().get("error")) == (403, "approval_not_offered"), answer.content


TOKENS: dict[str, dict[str, Any]] = {
    "for rssp alone": {"aud": "http://localhost:8000/csc"},
    "for nobody": {"aud": None},
    "of another issuer": {"iss": "https://evil.example"},
    "of another scope": {"scope": "openid credential"},
    "that has ended": {"exp": int(time.time()) - 1},
    "of a client": {"sub": "paraph-signapp"},
    "of a client, said otherwise": {"client_id": None, "azp": "x", "sub": "x"},
    "of nobody": {"sub": None},
    "without an identifier": {"jti": None},
    "of tomorrow": {"iat": int(time.time()) + 86400},
    "that is an ID token": {"header": {"typ": "JWT"}},
    "by another key": {"key": OTHER_KEY},
    "by a key that nobody knows": {"header": {"typ": "at+jwt", "kid": "two"}},
}


def test_a_callers_token_that_is_not_for_us_now_opens_nothing(alice: User, provider: Bent, remote: Remote) -> None:
    assert alice.call("GET", "credentials").status_code == 200
    for name, changes in TOKENS.items():
        alice.token = provider.access_token(alice.subject, **(audiences() | changes))
        answer = alice.call("GET", "credentials")
        assert (answer.status_code, answer.json().get("error")) == (401, "invalid_token"), name
    assert remote.calls["list"] == 1


def test_by_introspection_the_providers_word_counts(alice: User, provider: Bent, remote: Remote, settings: Any) -> None:
    settings.EXTERNAL_TOKENS = "introspection"
    alice.token = "opaque"
    remote.service_tokens["opaque"] = {"sub": alice.subject}
    good = {"active": True, "sub": alice.subject, "client_id": "c", "scope": "service", "exp": int(time.time()) + 60}
    good |= audiences()

    def status(answer: httpx.Response | Exception) -> int:
        provider.answers["introspect"] = answer
        return int(alice.call("GET", "credentials").status_code)

    assert status(httpx.Response(200, json=good)) == 200
    wrong: list[dict[str, Any]] = [
        *({"active": False}, {"aud": "x"}, {"iss": "https://evil.example"}, {"scope": "x"}, {"sub": "c"}),
        *({"token_use": "refresh_token"}, {"typ": "Refresh"}, {"typ": "ID"}),
    ]
    assert status(httpx.Response(200, json=good | {"token_use": "access_token", "typ": "Bearer"})) == 200
    for change in wrong:
        assert status(httpx.Response(200, json=good | change)) == 401
    assert status(httpx.Response(500)) == status(httpx.ConnectError("away")) == 503
