"""Who asks for a certificate, by an OpenID provider that is not ours (npm's oidc-provider, run as a process): evidence
for an operator or the decision itself, for the request's owner alone, once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from cryptography import x509
from django.db import connections
from joserfc.jwk import OctKey, RSAKey

from rssp.checks import check_identity_provider, check_operators, check_registration
from rssp.clients import external, identity_provider
from rssp.errors import IdentityRefusedError
from rssp.models import AuditEvent, CertificateRequest, IdentityProof
from rssp.services import identifying, requests
from rssp.services.registration import registration_of
from tests.authz.conftest import Person
from tests.rssp.conftest import ALIAS, Asked, Signer, call
from tests.rssp.test_admin import operator, page_of
from tests.rssp.test_request_admin import act
from tests.rssp.test_requests import EVIDENCE, OPERATOR, VERIFIED, ask
from tests.support.provider import Provider

__all__ = ["operator"]
STATE = "s" * 43
CLAIMS = {"given_name": "given_name", "surname": "family_name", "country": "address.country"}


@pytest.fixture
def provider(running: Provider, settings: Any) -> Iterator[Provider]:
    settings.IDENTITY_ISSUER = running.issuer
    settings.IDENTITY_CLIENT_ID, settings.IDENTITY_CLIENT_SECRET = "identity", running.secret
    settings.IDENTITY_ACR_VALUES = ["looked-closely"]
    settings.IDENTITY_CLAIMS = CLAIMS | {"birthdate": "birthdate", "identifier": "national_id"}
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer", "short-lived", "seal"]
    settings.REGISTRATION = {"demonstration": "automatic", "signer": "claims", "short-lived": "claims"}
    external.forget()
    yield running
    external.forget()


@pytest.fixture
def waiting(provider: Provider, alice: Signer) -> CertificateRequest:
    return asked_for(alice)


def asked_for(signer: Signer, policy: str = "signer", **changes: str) -> CertificateRequest:
    answer = ask(signer, policy, **changes)
    assert answer.status_code == 202, answer.content
    return CertificateRequest.objects.get(credential_id=answer.json()["credentialID"])


def begin(signer: Signer, request: CertificateRequest, state: str = STATE) -> Any:
    return call("credentials/identify", {"credentialID": request.credential_id, "state": state}, signer.log_in())


def finish(signer: Signer, request: CertificateRequest, **given: Any) -> Any:
    return call("credentials/identified", {"credentialID": request.credential_id} | given, signer.log_in())


def go(
    provider: Provider, signer: Signer, request: CertificateRequest, who: str = "alice-elsewhere", **acr: str
) -> Any:
    """There and back: what the browser brings to signapp, handed on."""
    address = begin(signer, request).json()["authorizationURL"]
    brought = provider.identify(address, who, **acr)
    return finish(signer, request, code=brought["code"], state=brought["state"], iss=brought["iss"])


def refused(answer: Any, request: CertificateRequest, asked: Asked, status: int = 400) -> str:
    request.refresh_from_db()
    assert (answer.status_code, request.state, asked.count) == (status, "waiting", 0), answer.content
    assert not request.identities.filter(outcome="verified").exists()
    assert not request.attributes.filter(source="claims").exists()
    told: str = answer.json()["error_description"]
    return told


# --- What is verified ------------------------------------------------------------------------------------------


def test_verified_claims_are_the_decision_where_the_policy_says_so(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked
) -> None:
    listed = call("credentials/list", {"credentialInfo": True}, alice.log_in()).json()["certificateRequests"]
    assert [row["certificateRequest"]["identityProvider"] for row in listed] == [provider.issuer]
    answer = go(provider, alice, waiting)
    assert (answer.status_code, answer.json()["certificateRequest"]["state"]) == (200, "issued"), answer.content
    assert answer.json()["certificateRequest"]["identifiedBy"] == provider.issuer
    waiting.refresh_from_db()
    certificate = x509.load_der_x509_certificate(bytes(waiting.made.certificate.der))
    name = f"2.5.4.5={alice.subject},CN=Alice Example,2.5.4.4=Example,2.5.4.42=Alice,C=FR"
    assert certificate.subject.rfc4514_string() == name
    rows = waiting.attributes.exclude(name="email")
    assert {row.name: (row.source, row.verifier) for row in rows} == dict.fromkeys(
        ("common_name", "given_name", "surname", "country", "identifier"), ("claims", provider.issuer)
    )
    evidence = rows.first().evidence
    for word in (provider.issuer, "sub alice-elsewhere", "acr looked-closely", "UTC"):
        assert word in evidence
    proof = waiting.identities.get()
    assert (proof.outcome, proof.nonce, proof.code_verifier) == ("verified", "", "")
    assert proof.claims == {**VERIFIED, "birthdate": "1990-01-01"}  # what IDENTITY_CLAIMS names and nothing else
    told = [event.reason for event in AuditEvent.objects.filter(credential_id=waiting.credential_id)]
    assert [word for word in told if "identif" in word] == ["identification begun", f"identified by {provider.issuer}"]


def test_a_short_lived_one_stands_then(provider: Provider, alice: Signer) -> None:
    request = asked_for(alice, "short-lived")
    assert go(provider, alice, request).json()["certificateRequest"]["state"] == "standing"


@pytest.mark.parametrize("policy", ["approval", "no policy"])
def test_they_are_evidence_alone_where_an_operator_decides(
    provider: Provider, alice: Signer, settings: Any, asked: Asked, policy: str
) -> None:
    settings.REGISTRATION = {"demonstration": "automatic"} | ({"signer": policy} if policy == "approval" else {})
    request = asked_for(alice)
    answer = go(provider, alice, request)
    told = answer.json()["certificateRequest"]
    assert (answer.status_code, told["state"], told["identifiedBy"]) == (200, "waiting", provider.issuer)
    assert "identityProvider" not in told
    request.refresh_from_db()
    assert (request.state, asked.count) == ("waiting", 0)
    assert not request.attributes.exclude(name="email").exclude(source="").exists()
    assert request.identities.get().claims["given_name"] == "Alice"
    done = requests.approve_request(request=request, stated=VERIFIED, evidence=EVIDENCE, operator=OPERATOR)
    assert done.state == "approved"
    assert {row.source for row in request.attributes.exclude(name="email")} == {"operator"}


def test_the_operator_sees_what_the_provider_said_and_finds_it_filled_in(
    provider: Provider, alice: Signer, settings: Any, operator: Person
) -> None:
    settings.REGISTRATION = {"demonstration": "automatic"}
    request = asked_for(alice)
    begin(alice, request)
    page = page_of(operator.browser.get(f"/admin/rssp/certificaterequest/{request.pk}/change/"))
    assert (request.identities.get().nonce in page, request.identities.get().code_verifier in page) == (False, False)
    go(provider, alice, request)
    page = page_of(act(operator, "approve", request))
    for word in (f"What {provider.issuer} says", "alice-elsewhere", "looked-closely", "1990-01-01", 'value="Alice"'):
        assert word in page
    page = page_of(operator.browser.get(f"/admin/rssp/certificaterequest/{request.pk}/change/"))
    assert "alice-elsewhere" in page


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("somebody", "not the one that was verified"),
        ("long", "make no subject"),
        ("wordy", "make no subject"),
        ("stateless", "make no subject: country"),
    ],
)
def test_claims_that_fit_no_certificate_wait_for_an_operator_as_evidence(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, who: str, why: str
) -> None:
    answer = go(provider, alice, waiting, who)
    assert answer.json()["certificateRequest"]["state"] == "waiting"
    waiting.refresh_from_db()
    assert (waiting.state, asked.count) == ("waiting", 0)
    assert why in waiting.identities.get().reason
    assert not waiting.attributes.filter(source="claims").exists()
    assert begin(alice, waiting).status_code == 409  # an operator decides now


# --- What is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "acr", "why"),
    [
        ("alice-elsewhere", "barely-looked", "acr"),
        ("longest", "looked-closely", "too long"),
        ("odd", "looked-closely", "told nothing"),
        ("nobody-known", "looked-closely", "told nothing"),
    ],
)
def test_what_nobody_verified_or_nothing_holds_is_refused(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, who: str, acr: str, why: str
) -> None:
    assert why in refused(go(provider, alice, waiting, who, acr=acr), waiting, asked)
    assert why in waiting.identities.get().reason
    assert AuditEvent.objects.latest("sequence").result == "refused"
    assert begin(alice, waiting).status_code == 201  # another way may still be good


def test_a_claim_that_only_some_have_verified_is_read_where_it_says_so(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, settings: Any
) -> None:
    """OpenID Identity Assurance keeps what was verified apart: what stands beside it counts for nothing."""
    settings.IDENTITY_CLAIMS = {name: f"verified_claims.claims.{claim}" for name, claim in CLAIMS.items()}
    assert "told nothing" in refused(go(provider, alice, waiting), waiting, asked)


def test_nobody_elses_answer_counts(
    provider: Provider, alice: Signer, bob: Signer, waiting: CertificateRequest, asked: Asked
) -> None:
    """Another user's token, another request's state, and a code that came to another request's browser."""
    brought = provider.identify(begin(alice, waiting).json()["authorizationURL"], "alice-elsewhere")
    other = asked_for(alice)
    his = asked_for(bob)
    theirs = provider.identify(begin(bob, his, "t" * 43).json()["authorizationURL"], "alice-elsewhere")
    assert begin(bob, waiting).status_code == 400
    refused(finish(bob, waiting, **brought), waiting, asked)
    refused(finish(bob, his, **brought), his, asked)
    refused(finish(alice, other, **brought), other, asked)
    # A code is the provider's for one verifier and one nonce: it is no good under another state.
    refused(finish(alice, waiting, **(theirs | {"state": STATE})), waiting, asked)
    refused(finish(alice, waiting, **brought), waiting, asked)  # the state was spent with that


def test_a_state_is_good_once_and_for_minutes(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked
) -> None:
    first = provider.identify(begin(alice, waiting).json()["authorizationURL"], "alice-elsewhere")
    second = provider.identify(begin(alice, waiting, "t" * 43).json()["authorizationURL"], "alice-elsewhere")
    assert "not begun" in refused(finish(alice, waiting, **first), waiting, asked)  # begun anew: the first is forgotten
    IdentityProof.objects.update(expires="2026-01-01T00:00:00Z")
    assert "too old" in refused(finish(alice, waiting, **second), waiting, asked)
    assert "not begun" in refused(finish(alice, waiting, **(second | {"state": "u" * 43})), waiting, asked)
    assert go(provider, alice, waiting).status_code == 200
    assert finish(alice, waiting, **second).status_code == 400  # there is a credential


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_of_two_who_come_with_the_same_answer_one_is_heard(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked
) -> None:
    brought = provider.identify(begin(alice, waiting).json()["authorizationURL"], "alice-elsewhere")
    bearer = alice.log_in()

    def come(_number: int) -> int:
        body = {"credentialID": waiting.credential_id} | brought
        status: int = call("credentials/identified", body, bearer).status_code
        connections.close_all()
        return status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(come, range(4)))
    # 409: it was decided while this one was on its way.
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 409}
    assert asked.count == 1


@pytest.mark.parametrize(
    ("changes", "header", "why"),
    [
        ({"iss": "https://evil.example"}, {}, "another issuer"),
        ({"iss": None}, {}, "another issuer"),
        ({"aud": "jwt-application"}, {}, "another client"),
        ({"aud": ["identity", "other"]}, {}, "others too"),
        ({"aud": None}, {}, "another client"),
        ({"azp": "other"}, {}, "others too"),
        ({"nonce": "of another question"}, {}, "another question"),
        ({"nonce": None}, {}, "another question"),
        ({"exp": 1}, {}, "not of now"),
        ({"iat": 1}, {}, "not of now"),
        ({"sub": ""}, {}, "nobody"),
        ({"sub": 7}, {}, "nobody"),
        ({}, {"typ": "at+jwt"}, "no ID token"),
        ({}, {"kid": "unknown"}, "unknown"),
        ({}, {"alg": "HS256"}, "algorithm"),
    ],
)
def test_an_id_token_that_is_not_for_us_and_now_proves_nothing(
    provider: Provider, changes: dict[str, Any], header: dict[str, Any], why: str
) -> None:
    key = OctKey.import_key(b"k" * 32) if header.get("alg") == "HS256" else None
    plain = {"aud": "identity", "nonce": "n", "client_id": None, "scope": None}
    token = provider.make(header={"typ": "JWT"} | header, key=key, **(plain | changes))
    with pytest.raises(IdentityRefusedError, match=why):
        identity_provider.verify_id_token(token, nonce="n")


def test_an_id_token_by_another_key_of_the_same_name_proves_nothing(provider: Provider) -> None:
    other = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": provider.key.kid}, private=True)
    token = provider.make(header={"typ": "JWT"}, key=other, aud="identity", nonce="n")
    for given in (token, token[:-4] + "AAAA", "", "a.b.c", "x" * 20_000):
        with pytest.raises(IdentityRefusedError):
            identity_provider.verify_id_token(given, nonce="n")


@pytest.mark.parametrize("iss", ["https://evil.example", "", None])
def test_another_providers_answer_is_refused(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, iss: str | None
) -> None:
    brought = provider.identify(begin(alice, waiting).json()["authorizationURL"], "alice-elsewhere")
    given = {name: value for name, value in (brought | {"iss": iss}).items() if value is not None}
    assert "another provider" in refused(finish(alice, waiting, **given), waiting, asked)


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_provider_that_is_away_decides_nothing(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, when: str, monkeypatch: Any
) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    away = httpx.Client(transport=httpx.MockTransport(fail))
    brought = provider.identify(begin(alice, waiting).json()["authorizationURL"], "alice-elsewhere")
    with monkeypatch.context() as patch:
        patch.setattr(external, "client_for", lambda _address: away)
        if when == "before":
            external.forget()
            refused(begin(alice, waiting), waiting, asked, 503)
        else:
            answer = finish(alice, waiting, **brought)
            refused(answer, waiting, asked, 503)
            assert answer["Retry-After"]
    external.forget()
    assert go(provider, alice, waiting).json()["certificateRequest"]["state"] == "issued"


def test_user_info_about_somebody_else_is_refused(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, monkeypatch: Any
) -> None:
    real = external.fetch

    def fetch(address: str, **asked_with: Any) -> dict[str, Any]:
        found = real(address, **asked_with)
        return found | {"sub": "mallory"} if address.endswith("/me") else found

    monkeypatch.setattr(external, "fetch", fetch)
    assert "somebody else" in refused(go(provider, alice, waiting), waiting, asked)


@pytest.mark.parametrize("auth_time", [None, "now", True, 1, 2**40])
def test_a_session_that_somebody_left_open_says_nothing(provider: Provider, auth_time: Any) -> None:
    with pytest.raises(IdentityRefusedError, match="auth_time"):
        identity_provider._read_authentication({"auth_time": auth_time})


@pytest.mark.parametrize(
    "change",
    [
        {"state": "short"},
        {"state": "ü" * 43},
        {"state": 7},
        {"state": "s" * 300},
        {"code": ""},
        {"code": "c" * 3000},
        {"code": ["c"]},
        {"iss": 7},
        {"credentialID": "another"},
        {"clientData": 7},
    ],
)
def test_bad_input_is_refused(
    provider: Provider, alice: Signer, waiting: CertificateRequest, asked: Asked, change: dict[str, Any]
) -> None:
    assert begin(alice, waiting).status_code == 201
    refused(finish(alice, waiting, **({"code": "c", "state": STATE} | change)), waiting, asked)
    assert waiting.identities.get().outcome == "open"


def test_nobody_is_sent_where_nobody_is_asked(
    provider: Provider, alice: Signer, waiting: CertificateRequest, settings: Any
) -> None:
    refused_one = requests.refuse_request(request=asked_for(alice), reason="Nobody came", operator=OPERATOR)
    assert begin(alice, refused_one).status_code == 409
    company = asked_for(alice, "seal")  # a provider knows people
    assert begin(alice, company).status_code == 409
    settings.FOUR_EYES = ["requests"]
    requests.approve_request(request=waiting, stated=VERIFIED, evidence=EVIDENCE, operator=OPERATOR)
    answer = go(provider, alice, waiting)  # the second word is an operator's then
    assert answer.json()["certificateRequest"]["state"] == "waiting"
    assert "an operator has begun" in waiting.identities.get().reason
    settings.IDENTITY_ISSUER = ""
    assert begin(alice, asked_for(alice)).status_code == 409


# --- Settings --------------------------------------------------------------------------------------------------


def test_claims_decide_where_names_are_a_persons_and_a_provider_is_configured(settings: Any) -> None:
    settings.REGISTRATION = dict.fromkeys(("demonstration", "signer", "seal", "short-lived"), "claims")
    settings.IDENTITY_ISSUER = "https://id.example.org"
    decided = {name: registration_of(certificate_policy=name) for name in settings.REGISTRATION}
    assert decided == {"demonstration": "approval", "signer": "claims", "seal": "approval", "short-lived": "claims"}
    settings.IDENTITY_ISSUER = ""
    assert registration_of(certificate_policy="signer") == "approval"


def test_a_literal_stands_for_what_a_provider_never_tells(settings: Any) -> None:
    settings.IDENTITY_CLAIMS = {"given_name": "given_name", "country": ":FR"}
    assert identifying.read_claims({"given_name": " Al\u0069ce  B "}) == {"given_name": "Alice B", "country": "FR"}
    with pytest.raises(IdentityRefusedError):
        identifying.read_claims({"country": "DE"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"IDENTITY_ISSUER": ""}, ["rssp.E052"]),
        ({"IDENTITY_CLIENT_ID": ""}, ["rssp.E052"]),
        ({"IDENTITY_ISSUER": "http://id.example.org"}, ["rssp.E052"]),
        ({"IDENTITY_SCOPES": ["profile"]}, ["rssp.E052"]),
        ({"IDENTITY_CLAIMS": {"given name": "x"}}, ["rssp.E052"]),
        ({"IDENTITY_CLAIMS": {"given_name": ""}}, ["rssp.E052"]),
        ({"IDENTITY_ACR_VALUES": []}, ["rssp.W036"]),
    ],
)
def test_weak_settings_are_told(settings: Any, change: dict[str, Any], told: list[str]) -> None:
    plain = {
        "DEVELOPMENT": False,
        "REGISTRATION": {"signer": "claims"},
        "FOUR_EYES": ["requests", "lifecycle"],
        "IDENTITY_ISSUER": "https://id.example.org",
        "IDENTITY_CLIENT_ID": "paraph",
        "IDENTITY_SCOPES": ["openid"],
        "IDENTITY_ACR_VALUES": ["high"],
        "IDENTITY_CLAIMS": CLAIMS,
    }
    for name, value in (plain | change).items():
        setattr(settings, name, value)
    assert check_registration() == []
    assert [message.id for message in (*check_identity_provider(), *check_operators())] == told


def test_who_logs_people_in_verified_nobody(settings: Any) -> None:
    settings.IDENTITY_ISSUER, settings.IDENTITY_CLIENT_ID = settings.ISSUER, "paraph"
    assert "rssp.E052" in [message.id for message in check_identity_provider()]
