"""Approvals asked for out of band (CIBA, poll mode): who may ask, what the signer sees, and what is answered when."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import connections
from django.test import Client
from django.utils import timezone

from authz.approval import build_signing_approval
from authz.models import AccessToken, BackchannelRequest, Consent, Throttle
from authz.services import addresses, backchannel, throttling
from authz.wire import CIBA
from tests.authz.conftest import (
    CREATION,
    GATEWAY,
    PASSWORD,
    RSSP,
    Flow,
    Person,
    Pkce,
    Server,
    basic,
    block,
    hidden,
    signing_details,
)
from tests.support.authenticator import b64, unb64


@pytest.fixture
def elsewhere(foreign: tuple[str, str]) -> str:
    """The client on whose behalf the signing service asks."""
    return foreign[0]


def details_for(client_id: str, *labels: str, **members: Any) -> list[dict[str, Any]]:
    return signing_details(*labels, onBehalfOf=client_id, **members)


def ask(server: Server, person: Person, client_id: str, client: tuple[str, str] = RSSP, /, **changes: Any) -> Any:
    form = {
        "scope": "credential",
        "login_hint": str(person.user.sub),
        "authorization_details": json.dumps(details_for(client_id)),
        "binding_message": "W4SCT",
    }
    form = {name: value for name, value in (form | changes).items() if value is not None}
    return server.http.post("/authz/oauth2/bc-authorize", form, headers=basic(client))


def poll(server: Server, auth_req_id: str, client: tuple[str, str] = RSSP) -> Any:
    return server.token({"grant_type": CIBA, "auth_req_id": auth_req_id}, client)


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def page_of() -> str:
    return f"/authz/approvals/{BackchannelRequest.objects.latest('pk').consent_id}"


def test_an_approval_out_of_band_reaches_rssp_and_commits_to_the_client_behind_it(
    server: Server, alice: Person, elsewhere: str
) -> None:
    opened = ask(server, alice, elsewhere).json()
    assert set(opened) == {"auth_req_id", "expires_in", "interval"}
    assert refused(poll(server, opened["auth_req_id"])) == (400, "authorization_pending")
    alice.log_in()
    assert "Elsewhere asks you to sign 1 document" in alice.browser.get("/authz/approvals").content.decode()
    page = alice.browser.get(page_of()).content.decode()
    for words in ("You are about to sign 1 document", "Elsewhere asks for your approval", "W4SCT", "Lease.pdf"):
        assert words in page
    assert alice.approve(page_of())["Location"] == "/authz/approvals"
    token = poll(server, opened["auth_req_id"]).json()
    assert (token["token_type"], token["scope"], token["sub"]) == ("Bearer", "credential", str(alice.user.sub))
    assert token["expires_in"] <= 300
    assert "refresh_token" not in token
    told = server.introspect(token["access_token"])
    assert told["client_id"] == RSSP[0]
    assert told["aud"] == [django_settings.RSSP_RESOURCE]
    assert told["authorization_details"] == token["authorization_details"]
    entry, approval = told["authorization_details"][0], told["paraph_approval"]
    assert entry["onBehalfOf"] == elsewhere
    challenge = sha256(
        build_signing_approval(
            nonce=unb64(approval["nonce"]),
            client_id=told["client_id"],
            on_behalf_of=entry["onBehalfOf"],
            sub=told["sub"],
            credential_id=entry["credentialID"],
            num_signatures=1,
            hash_algorithm_oid=entry["hashAlgorithmOID"],
            document_digests=[("dtbsr", base64.b64decode(entry["documentDigests"][0]["hash"]), "Lease.pdf")],
            rp_id=approval["rp_id"],
            origin=approval["origin"],
            expires_at=approval["expires_at"],
        )
    ).digest()
    assert json.loads(unb64(approval["assertion"]["client_data_json"]))["challenge"] == b64(challenge)
    assert refused(poll(server, opened["auth_req_id"])) == (400, "invalid_grant")
    assert server.introspect(token["access_token"])["active"]


def test_a_message_tells_of_it_and_decides_nothing(server: Server, alice: Person, elsewhere: str) -> None:
    ask(server, alice, elsewhere)
    assert not mail.outbox  # the address may be a stranger's
    Consent.objects.all().delete()
    addresses.trust_address(user=alice.user)
    ask(server, alice, elsewhere, authorization_details=json.dumps(details_for(elsewhere, "Secret merger.pdf")))
    (message,) = mail.outbox
    assert message.to == [alice.email]
    link = f"{django_settings.ISSUER}/approvals/{Consent.objects.get().pk}"
    assert link in message.body
    assert "Elsewhere" in message.body
    assert "Secret" not in message.body
    stranger = Client()
    opened = stranger.get(link.removeprefix(django_settings.BASE_URL))
    assert opened["Location"].startswith("/authz/login?")
    assert Consent.objects.get().state == Consent.State.PENDING


def test_a_message_that_cannot_be_sent_costs_nothing(
    server: Server, alice: Person, elsewhere: str, settings: Any
) -> None:
    addresses.trust_address(user=alice.user)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert ask(server, alice, elsewhere).status_code == 200
    alice.log_in()
    assert "Elsewhere asks you" in alice.browser.get("/authz/approvals").content.decode()


def test_a_decline_is_told_and_final(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    alice.log_in()
    assert alice.browser.post(page_of(), {"answer": "decline"})["Location"] == "/authz/approvals"
    assert refused(poll(server, opened["auth_req_id"])) == (400, "access_denied")
    over = alice.browser.get(page_of())
    assert over.status_code == 400
    assert "This request is over" in over.content.decode()


def test_another_account_neither_sees_nor_answers_it(
    server: Server, alice: Person, mallory: Person, elsewhere: str
) -> None:
    opened = ask(server, alice, elsewhere).json()
    mallory.log_in()
    assert "Nothing waits" in mallory.browser.get("/authz/approvals").content.decode()
    assert mallory.browser.get(page_of()).status_code == 400
    assert mallory.browser.post(page_of(), {"answer": "decline"}).status_code == 400
    alice.log_in()
    page = alice.browser.get(page_of())
    answer = mallory.key.get(block(page)[0]["options"])
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    assert mallory.browser.post(page_of(), form).status_code == 400
    assert alice.browser.post(page_of(), form).status_code == 422
    assert refused(poll(server, opened["auth_req_id"])) == (400, "authorization_pending")


def test_neither_a_wrong_password_nor_an_old_page_approves(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    alice.log_in()
    assert alice.approve(page_of(), password="wrong").status_code == 422
    old = alice.browser.get(page_of())
    alice.browser.get(page_of())
    answer = alice.key.get(block(old)[0]["options"])
    form = {"password": PASSWORD, "reference": hidden(old, "reference"), "response": json.dumps(answer)}
    assert alice.browser.post(page_of(), form).status_code == 422
    assert refused(poll(server, opened["auth_req_id"]))[1] == "authorization_pending"


def test_the_page_of_one_kind_of_request_is_not_the_other_kinds(
    server: Server, alice: Person, elsewhere: str, flow: Flow
) -> None:
    ask(server, alice, elsewhere)
    alice.log_in()
    assert alice.browser.get(f"/authz/consents/{Consent.objects.get().pk}").status_code == 400
    location = flow.open(alice, Pkce())
    assert alice.browser.get(location.replace("consents", "approvals")).status_code == 400


@pytest.mark.parametrize("client", [GATEWAY, None], ids=["gateway", "foreign"])
def test_other_clients_may_not_ask(
    server: Server, alice: Person, foreign: tuple[str, str], client: tuple[str, str] | None
) -> None:
    client = client or foreign
    assert refused(ask(server, alice, foreign[0], client)) == (400, "unauthorized_client")
    opened = ask(server, alice, foreign[0]).json()
    assert refused(poll(server, opened["auth_req_id"], client)) == (400, "unauthorized_client")
    assert refused(ask(server, alice, foreign[0], (RSSP[0], "x" * 43))) == (401, "invalid_client")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"scope": None}, "invalid_scope"),
    ({"scope": "service"}, "invalid_scope"),
    ({"scope": "credential openid"}, "invalid_scope"),
    ({"login_hint": None}, "unknown_user_id"),
    ({"login_hint": "alice@example.org"}, "unknown_user_id"),
    ({"login_hint": str(uuid.uuid4())}, "unknown_user_id"),
    ({"authorization_details": None}, "invalid_authorization_details"),
    ({"authorization_details": "[]"}, "invalid_authorization_details"),
    ({"authorization_details": json.dumps(CREATION)}, "invalid_authorization_details"),
    ({"authorization_details": json.dumps(signing_details())}, "invalid_authorization_details"),
    ({"authorization_details": json.dumps(details_for(""))}, "invalid_authorization_details"),
    ({"authorization_details": json.dumps(details_for("nobody"))}, "invalid_authorization_details"),
    ({"authorization_details": json.dumps(details_for("nobody", more=1))}, "invalid_authorization_details"),
    ({"binding_message": "x" * 201}, "invalid_binding_message"),
    ({"binding_message": "two\nlines"}, "invalid_binding_message"),
    ({"binding_message": "\0"}, "invalid_request"),
    ({"login_hint_token": "x"}, "invalid_request"),
    ({"id_token_hint": "x"}, "invalid_request"),
    ({"scope": ["credential", "credential"]}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), MISTAKES)
def test_each_mistake_is_named(
    server: Server, alice: Person, elsewhere: str, changes: dict[str, Any], error: str
) -> None:
    answer = ask(server, alice, elsewhere, **changes)
    assert refused(answer) == (400, error)
    assert not Consent.objects.exists()
    assert not mail.outbox


def test_a_closed_account_is_nobody(server: Server, alice: Person, elsewhere: str) -> None:
    user = alice.user
    user.is_active = False
    user.save()
    assert refused(ask(server, alice, elsewhere)) == (400, "unknown_user_id")


def test_the_client_behind_it_stands_in_no_request_of_a_browser(
    server: Server, alice: Person, elsewhere: str, credential_request: Any
) -> None:
    pushed = server.push(credential_request(Pkce(), details_for(elsewhere)))
    assert refused(pushed) == (400, "invalid_authorization_details")


def test_nobody_is_flooded_with_requests(server: Server, alice: Person, bob: Person, elsewhere: str) -> None:
    for _ in range(backchannel.MOST_WAITING):
        assert ask(server, alice, elsewhere).status_code == 200
    full = ask(server, alice, elsewhere)
    assert full.status_code == 429
    assert int(full["Retry-After"]) > 0
    assert ask(server, bob, elsewhere).status_code == 200
    Consent.objects.update(state=Consent.State.DECLINED)
    while (answer := ask(server, alice, elsewhere)).status_code == 200:
        Consent.objects.update(state=Consent.State.DECLINED)
    assert answer.status_code == 429
    asked = Consent.objects.filter(user=alice.user).count()
    assert asked < throttling.APPROVAL_REQUESTS_OF_CLIENT.attempts
    Throttle.objects.update(opened=timezone.now() - throttling.WINDOW)
    assert ask(server, alice, elsewhere).status_code == 200


def test_who_asks_too_often_has_to_slow_down(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    assert refused(poll(server, opened["auth_req_id"])) == (400, "authorization_pending")
    assert refused(poll(server, opened["auth_req_id"])) == (400, "slow_down")
    assert BackchannelRequest.objects.get().interval == 10
    BackchannelRequest.objects.update(polled=timezone.now() - timedelta(seconds=11))
    assert refused(poll(server, opened["auth_req_id"])) == (400, "authorization_pending")
    alice.log_in()
    alice.approve(page_of())
    # An answer is never kept back.
    assert poll(server, opened["auth_req_id"]).status_code == 200


def test_what_nobody_answers_or_fetches_in_time_has_expired(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    alice.log_in()
    page = alice.browser.get(page_of())
    Consent.objects.update(expires=timezone.now())
    assert refused(poll(server, opened["auth_req_id"])) == (400, "expired_token")
    answer = alice.key.get(block(page)[0]["options"])
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    assert alice.browser.post(page_of(), form).status_code == 400
    late = ask(server, alice, elsewhere).json()
    alice.approve(page_of())
    Consent.objects.filter(state=Consent.State.APPROVED).update(approval_expires=timezone.now())
    assert refused(poll(server, late["auth_req_id"])) == (400, "expired_token")


def test_an_unknown_reference_gets_nothing(server: Server) -> None:
    assert refused(poll(server, "unknown")) == (400, "invalid_grant")
    assert refused(server.token({"grant_type": CIBA}, RSSP)) == (400, "invalid_request")
    code = server.token({"grant_type": "authorization_code", "code": "x", "code_verifier": "y" * 43}, RSSP)
    assert code.status_code in {400, 401}


def test_a_reference_is_no_code(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    alice.log_in()
    alice.approve(page_of())
    for client in (RSSP, GATEWAY):
        form = {"grant_type": "authorization_code", "code": opened["auth_req_id"], "code_verifier": "y" * 43}
        assert server.token(form, client).status_code == 400
    assert poll(server, opened["auth_req_id"]).status_code == 200


def test_only_checksums_of_references_are_kept(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    row = BackchannelRequest.objects.get()
    assert opened["auth_req_id"] not in (row.checksum, json.dumps(row.consent.request))


def test_discovery_names_the_backchannel(server: Server) -> None:
    metadata = server.http.get("/.well-known/oauth-authorization-server/authz").json()
    assert metadata["backchannel_authentication_endpoint"] == f"{django_settings.ISSUER}/oauth2/bc-authorize"
    assert metadata["backchannel_token_delivery_modes_supported"] == ["poll"]
    assert {CIBA, "client_credentials"} <= set(metadata["grant_types_supported"])


def race(attempts: int, act: Any) -> list[Any]:
    ready = Barrier(attempts)

    def attempt(_: int) -> Any:
        ready.wait()
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(attempts) as pool:
        return list(pool.map(attempt, range(attempts)))


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_of_parallel_questions_one_gets_the_token(server: Server, alice: Person, elsewhere: str) -> None:
    opened = ask(server, alice, elsewhere).json()
    alice.log_in()
    alice.approve(page_of())
    answers = race(12, lambda: poll(Server(Client()), opened["auth_req_id"]))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 11
    (token,) = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    assert server.introspect(token)["active"]
    assert AccessToken.objects.count() == 1


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_parallel_requests_do_not_pass_the_limit_together(server: Server, alice: Person, elsewhere: str) -> None:
    answers = race(9, lambda: ask(Server(Client()), alice, elsewhere))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 4
