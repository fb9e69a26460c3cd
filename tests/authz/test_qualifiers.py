"""A signature qualifier in a credential's place: who may ask, what may be chosen, and what is approved then."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.test import Client

from authz.models import AccessToken, Consent
from tests.authz import signing_service as service_side
from tests.authz.conftest import (
    PASSWORD,
    RSSP,
    Flow,
    Person,
    Pkce,
    Server,
    basic,
    block,
    hidden,
    query,
    signing_details,
)
from tests.authz.signing_service import QUALIFIER, SigningService, credential

MakeRequest = Callable[..., dict[str, Any]]


def qualified(*labels: str, **members: Any) -> list[dict[str, Any]]:
    details = signing_details(*labels, signatureQualifier=QUALIFIER)
    del details[0]["credentialID"]
    return [details[0] | members]


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> SigningService:
    settings.CLIENT_TRANSPORT = "tests.authz.signing_service.transport_for"
    fresh = SigningService([credential("first"), credential("second")])
    monkeypatch.setattr(service_side, "current", fresh)
    return fresh


@pytest.fixture
def asked(alice: Person, flow: Flow, service: SigningService) -> str:
    """Where Alice is to answer."""
    alice.log_in()
    return flow.open(alice, Pkce(), qualified())


def choose(person: Person, location: str, credential_id: str) -> Any:
    return person.browser.post(location, {"answer": "choose", "credential": credential_id})


# --- What is asked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qualifier", ["eu_eidas_qes", "demonstration", "Paraph_Demonstration", " ", ""])
def test_a_qualifier_that_nobody_here_offers_is_refused_by_name(
    server: Server, credential_request: MakeRequest, foreign: tuple[str, str], qualifier: str
) -> None:
    refused = server.push(credential_request(Pkce(), qualified(signatureQualifier=qualifier))).json()
    assert refused["error"] == "invalid_authorization_details"
    assert "signatureQualifier" in refused["error_description"]
    parameters = {
        "response_type": "code",
        "client_id": foreign[0],
        "scope": "credential",
        "signatureQualifier": qualifier or "unknown",
        "numSignatures": "1",
        "hashes": "A" * 43,
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
    }
    told = query(Client().get("/authz/oauth2/authorize", parameters)["Location"])
    assert (told["error"], told["error_description"]) == (
        "invalid_request",
        "Invalid parameter signatureQualifier",
    )


@pytest.mark.parametrize(
    "members",
    [{"credentialID": "first"}, {"credentialLabel": "Mine"}, {"signatureQualifier": 7}, {"signatureQualifier": None}],
)
def test_a_credential_and_a_qualifier_are_not_asked_for_at_once(
    server: Server, credential_request: MakeRequest, members: dict[str, Any]
) -> None:
    refused = server.push(credential_request(Pkce(), qualified(**members)))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_authorization_details")


def test_nothing_of_it_can_be_asked_out_of_band(server: Server, alice: Person, foreign: tuple[str, str]) -> None:
    details = qualified(onBehalfOf=foreign[0])
    form = {
        "scope": "credential",
        "login_hint": str(alice.user.sub),
        "authorization_details": json.dumps(details),
    }
    answer = server.http.post("/authz/oauth2/bc-authorize", form, headers=basic(RSSP))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


# --- What may be chosen -------------------------------------------------------------------------------------


def test_what_fits_is_offered_and_nothing_else(alice: Person, flow: Flow, service: SigningService) -> None:
    key = {"status": "enabled", "algo": ["1.2.840.10045.4.3.2"], "len": 256}
    service.credentials = [
        credential("fits"),
        credential("rsa", key=key | {"algo": ["1.2.840.113549.1.1.1"]}),
        credential("another-kind", signatureQualifier="other"),
        credential("no-kind", signatureQualifier=None),
        credential("disabled", key=key | {"status": "disabled"}),
        credential("explicit", auth={"mode": "explicit", "objects": []}),
        credential("unbound", SCAL="1"),
        credential("one-at-a-time", multisign=1),
        credential("another-hash", key=key | {"algo": ["1.2.840.10045.4.3.3"]}),
        {"credentialID": "odd"},
        None,
    ]
    alice.log_in()
    page = alice.browser.get(flow.open(alice, Pkce(), qualified("Lease.pdf", "Annex.pdf"))).content.decode()
    offered = [
        item["credentialID"] for item in service.credentials if item and f'value="{item["credentialID"]}"' in page
    ]
    assert offered == ["fits", "rsa"]
    assert "passkey-options" not in page
    assert "CN=Alice" in page


@pytest.mark.parametrize("chosen", ["", "unknown", "bobs"])
def test_what_is_not_offered_cannot_be_chosen(alice: Person, asked: str, service: SigningService, chosen: str) -> None:
    answer = choose(alice, asked, chosen)
    assert answer.status_code == 400
    assert "passkey-options" not in answer.content.decode()
    assert "credentialID" not in Consent.objects.get().details[0]


def test_nothing_is_approved_before_the_choice(alice: Person, asked: str) -> None:
    form = {"password": PASSWORD, "reference": "x", "response": "{}"}
    answer = alice.browser.post(asked, form)
    assert "passkey-options" not in answer.content.decode()
    assert Consent.objects.get().state == Consent.State.PENDING


def test_who_has_nothing_that_fits_can_decline(alice: Person, asked: str, service: SigningService) -> None:
    service.credentials = []
    assert "You have no certificate of this kind" in alice.browser.get(asked).content.decode()
    answer = alice.browser.post(asked, {"answer": "decline"})
    assert query(answer["Location"])["error"] == "access_denied"


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("away"),
        httpx.Response(503),
        httpx.Response(401, json={}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"[" * 100_000),
    ],
    ids=["away", "503", "401", "html", "deep"],
)
def test_a_signing_service_that_is_away_loses_nothing(
    alice: Person, asked: str, service: SigningService, failure: Any
) -> None:
    service.failure = failure
    for answer in (alice.browser.get(asked), choose(alice, asked, "first")):
        assert answer.status_code == 503
        assert "cannot be reached just now" in answer.content.decode()
    service.failure = None
    assert choose(alice, asked, "first").status_code == 302
    assert alice.approve(asked).status_code == 302


def test_somebody_else_chooses_nothing(alice: Person, bob: Person, asked: str) -> None:
    bob.log_in()
    assert choose(bob, asked, "first").status_code == 400
    assert "credentialID" not in Consent.objects.get().details[0]


def test_the_token_that_asks_is_the_signers_own_and_dies_with_the_question(
    alice: Person, asked: str, service: SigningService, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    handle = service.handle

    def watch(request: httpx.Request) -> httpx.Response:
        answer = handle(request)
        seen.append(server.introspect(service.tokens[-1]))
        return answer

    monkeypatch.setattr(service, "handle", watch)
    alice.browser.get(asked)
    [told] = seen
    assert (told["sub"], told["scope"], told["acr"]) == (str(alice.user.sub), "service", "aal2")
    assert "paraph_approval" not in told
    assert server.introspect(service.tokens[-1]) == {"active": False}
    assert not AccessToken.objects.exists()


# --- What is approved then ----------------------------------------------------------------------------------


def test_the_answer_names_the_credential_that_was_chosen(
    alice: Person, server: Server, flow: Flow, service: SigningService
) -> None:
    alice.log_in()
    pkce, details = Pkce(), qualified()
    location = flow.open(alice, pkce, details)
    assert choose(alice, location, "second").status_code == 302
    page = alice.browser.get(location).content.decode()
    assert QUALIFIER in page
    assert "Alice&#x27;s second" in page
    code = query(alice.approve(location)["Location"])["code"]
    # As some clients do: what was asked for once more.
    answer = server.redeem(code, pkce, authorization_details=json.dumps(details)).json()
    granted = answer["authorization_details"][0]
    assert (answer["credentialID"], granted["credentialID"]) == ("second", "second")
    assert (granted["signatureQualifier"], granted["credentialLabel"]) == (QUALIFIER, "Alice's second")
    assert server.introspect(answer["access_token"])["authorization_details"] == [granted]


@pytest.mark.parametrize("changes", [{"signatureQualifier": "other"}, {"credentialID": "first"}, {"numSignatures": 2}])
def test_with_the_code_nothing_else_is_asked_for(
    alice: Person, server: Server, flow: Flow, service: SigningService, changes: dict[str, Any]
) -> None:
    alice.log_in()
    pkce = Pkce()
    location = flow.open(alice, pkce, qualified())
    choose(alice, location, "second")
    code = query(alice.approve(location)["Location"])["code"]
    refused = server.redeem(code, pkce, authorization_details=json.dumps(qualified(**changes)))
    assert refused.status_code == 400


def test_another_choice_makes_the_page_before_it_worthless(alice: Person, asked: str) -> None:
    choose(alice, asked, "first")
    page = alice.browser.get(asked)
    answer = alice.key.get(block(page)[0]["options"])
    assert alice.browser.post(asked, {"answer": "choose-again"}).status_code == 302
    assert "Which certificate" in alice.browser.get(asked).content.decode()
    choose(alice, asked, "second")
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    stale = alice.browser.post(asked, form)
    assert stale.status_code == 422
    assert Consent.objects.get().state == Consent.State.PENDING
    assert alice.approve(asked).status_code == 302
    assert Consent.objects.get().details[0]["credentialID"] == "second"


def test_nothing_is_chosen_where_the_client_named_the_credential(
    alice: Person, flow: Flow, service: SigningService
) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    for answer in ("choose", "choose-again"):
        refused = alice.browser.post(location, {"answer": answer, "credential": "first"})
        assert refused.status_code == 400
    assert Consent.objects.get().details[0]["credentialID"] == "credential-1"
    assert service.tokens == []


# --- Where certificates are short-lived ---------------------------------------------------------------------


def test_the_choice_of_one_that_stands_makes_what_is_approved(
    alice: Person, asked: str, service: SigningService
) -> None:
    service.credentials = [credential("stands", multisign=1, shortLived={"validitySeconds": 3600})]
    assert "A certificate is made for this signature" in alice.browser.get(asked).content.decode()
    service.prepared = [
        httpx.Response(429, json={"error": "too_many_requests"}),
        httpx.Response(503, json={}),
        httpx.Response(201, json={"no": "credential"}),
        httpx.Response(201, json=credential("made", multisign=1)),
    ]
    for status in (429, 503, 503):
        assert choose(alice, asked, "stands").status_code == status
        assert "credentialID" not in Consent.objects.get().details[0]
    assert choose(alice, asked, "stands").status_code == 302
    assert alice.approve(asked).status_code == 302
    assert Consent.objects.get().details[0]["credentialID"] == "made"
