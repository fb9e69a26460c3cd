"""Passkeys out of band: version 2 polls with a handle, version 1 waits, and rssp believes the passkey alone."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone

from rssp.error_responses import ACCESS_DENIED
from rssp.models import Activation, AuditEvent, AuthenticationObject, PendingAuthorization
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.rssp.explicit import PIN, WRONG_PIN, authorize_body, data, factor, make_explicit
from tests.rssp.remote import answer_out_of_band
from tests.rssp.test_explicit import authorize, opened
from tests.rssp.test_explicit_refusals import refused

LEASE, WILL = digest("Lease"), digest("Will")
BAD_HANDLE = "Invalid parameter handle"


def check(bearer: str, handle: Any) -> Any:
    return call("credentials/authorizeCheck", {"handle": handle}, bearer)


def waiting(answer: Any) -> str:
    assert answer.status_code == 202, answer.content
    assert set(answer.json()) == {"handle"}
    return str(answer.json()["handle"])


def denied(answer: Any) -> None:
    refused(answer, "The authentication data is invalid", "invalid_authentication_data")


def be_due() -> None:
    PendingAuthorization.objects.update(next_poll=timezone.now())


def approve(signer: Signer, **changes: Any) -> str:
    be_due()
    return answer_out_of_band(signer.remote, signer.key, signer.subject, **changes)


@pytest.mark.parametrize("how", ["object", "implicit", "with PIN"])
def test_f6_a_client_polls_until_the_signer_has_approved(alice: Signer, asked: Asked, how: str) -> None:
    names = ("PIN", "KEY") if how == "with PIN" else ("KEY",)
    make_explicit(alice, *names, mode="implicit" if how == "implicit" else "explicit")
    given: dict[str, str | None] = {"implicit": {}, "object": {"KEY": None}, "with PIN": {"PIN": PIN, "KEY": None}}[how]
    bearer = alice.log_in()
    handle = waiting(authorize(alice, bearer, LEASE, WILL, authData=data(**given), description="Two documents"))
    told = alice.remote.asked[-1]
    assert (told["scope"], told["login_hint"]) == ("credential", alice.subject)
    assert told["binding_message"] == f"{django_settings.GATEWAY_CLIENT_ID}: Two documents"
    (detail,) = json.loads(told["authorization_details"])
    assert (detail["credentialID"], detail["numSignatures"]) == (alice.credential.credential_id, 2)
    assert detail["onBehalfOf"] == django_settings.GATEWAY_CLIENT_ID
    assert [item["label"] for item in detail["documentDigests"]] == ["Two documents"] * 2
    for _ in range(3):
        assert waiting(check(bearer, handle)) == handle
    assert alice.remote.polled == 1  # not before its interval is over
    approve(alice)
    sad = opened(check(bearer, handle))
    refused(check(bearer, handle), BAD_HANDLE)
    assert alice.sign(bearer, LEASE, WILL, SAD=sad).status_code == 200
    assert asked.count == 2
    activation = Activation.objects.get(kind="explicit")
    assert activation.factors == ("PIN, password, passkey" if how == "with PIN" else "password, passkey")
    assert bytes(activation.passkey_id or b"") == alice.key.credential_id
    assert activation.signature
    assert {each.attempts for each in AuthenticationObject.objects.all()} == {0}


def test_the_access_token_itself_is_no_sad(alice: Signer, asked: Asked) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()
    waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
    token = approve(alice)
    refused(alice.sign(bearer, LEASE, SAD=token), "Invalid parameter SAD")
    refused(alice.sign(token, LEASE), "Invalid parameter SAD")
    assert asked.count == 0


LIES: list[dict[str, Any]] = [
    {"on_behalf_of": "another-client"},
    {"on_behalf_of": ""},
    {"approved": [WILL]},
    {"approved": [LEASE, WILL]},
    {"approved": [LEASE, LEASE]},
    {"hash_type": "sdr"},
    {"client_id": "paraph-gateway"},
    {"credential_id": "another"},
    {"expires_at": 1_700_000_000},
    {"how": {"flags": 0x01}},
    {"place": {"origin": "https://evil.example"}},
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: next(iter(lie)))
def test_an_approval_of_anything_else_opens_nothing(alice: Signer, asked: Asked, lie: dict[str, Any]) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()
    handle = waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
    approve(alice, **lie)
    denied(check(bearer, handle))
    denied(check(bearer, handle))
    assert not Activation.objects.exists()
    assert AuditEvent.objects.filter(action="authorise", result="refused").count() == 1
    assert asked.count == 0


def test_another_passkey_or_a_token_of_another_scope_opens_nothing(alice: Signer, bob: Signer, asked: Asked) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()
    handle = waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
    be_due()
    answer_out_of_band(alice.remote, bob.key, alice.subject)
    denied(check(bearer, handle))
    for token in (alice.remote.grant(alice.subject, "service", client_id="paraph-rssp"), "unknown"):
        handle = waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
        request = alice.remote.asked[-1]["auth_req_id"]
        alice.remote.answers[request] = httpx.Response(200, json={"access_token": token})
        denied(check(bearer, handle))
    assert asked.count == 0


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant"])
def test_a_refusal_or_a_late_answer_is_told_and_audited(alice: Signer, error: str) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()
    handle = waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
    alice.remote.answers[alice.remote.asked[-1]["auth_req_id"]] = httpx.Response(400, json={"error": error})
    denied(check(bearer, handle))
    denied(check(bearer, handle))
    assert AuditEvent.objects.filter(action="authorise", result="refused").count() == 1


def test_slower_is_slower_and_the_end_is_the_end(alice: Signer) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()
    handle = waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
    alice.remote.answers[alice.remote.asked[-1]["auth_req_id"]] = httpx.Response(400, json={"error": "slow_down"})
    waiting(check(bearer, handle))
    pending = PendingAuthorization.objects.get()
    assert pending.interval == 6
    assert (pending.next_poll - timezone.now()).total_seconds() > 5
    PendingAuthorization.objects.update(expires=timezone.now())
    denied(check(bearer, handle))


def test_a_handle_is_for_its_user_and_client_alone(alice: Signer, bob: Signer) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()
    handle = waiting(authorize(alice, bearer, LEASE, authData=data(KEY=None)))
    for odd in (None, 7, "", "unknown", [handle], "h" * 300):
        refused(check(bearer, odd), BAD_HANDLE)
    refused(check(bob.log_in(), handle), BAD_HANDLE)
    refused(check(alice.log_in(client_id="another-client"), handle), BAD_HANDLE)
    refused(call("credentials/authorizeCheck", {"handle": handle}), "Malformed authorization header.")
    assert check(alice.approve(LEASE), handle).status_code == 403
    assert call("credentials/authorizeCheck", {"handle": handle}, bearer, version=1).status_code == 404
    alice.credential.status = "disabled"
    alice.credential.save()
    refused(check(bearer, handle), "The credential identified by credentialID is disabled")


def test_what_is_asked_for_names_every_digest_and_a_wrong_pin_asks_nobody(alice: Signer) -> None:
    make_explicit(alice, "PIN", "KEY", scal="1")
    bearer, given = alice.log_in(), data(PIN=PIN, KEY=None)
    missing = "Missing (or invalid type) array parameter hash"
    refused(authorize(alice, bearer, authData=given), missing)
    body = authorize_body(alice, LEASE, version=2, authData=given, numSignatures=2)
    refused(call("credentials/authorize", body, bearer), "Invalid value for parameter numSignatures")
    denied(authorize(alice, bearer, LEASE, authData=data(PIN=WRONG_PIN, KEY=None)))
    denied(authorize(alice, bearer, LEASE, authData=data(PIN=PIN)))
    assert alice.remote.asked == []
    assert (factor(alice.credential, "PIN").attempts, factor(alice.credential, "KEY").attempts) == (1, 1)


def test_nobody_is_asked_again_and_again(alice: Signer) -> None:
    make_explicit(alice, "KEY", mode="implicit")
    bearer = alice.log_in()
    for _ in range(django_settings.RSSP_FACTOR_TRIES):
        waiting(authorize(alice, bearer, LEASE))
    refused(authorize(alice, bearer, LEASE), "Credential locked")
    assert len(alice.remote.asked) == django_settings.RSSP_FACTOR_TRIES


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (httpx.ConnectError("away"), 503),
        (httpx.Response(500, text="no"), 503),
        (httpx.Response(200, json=["no"]), 503),
        (httpx.Response(200, json={"auth_req_id": 7}), 503),
        (httpx.Response(400, json={"error": "unknown_user_id"}), 400),
        (httpx.Response(429, json={"error": "slow_down"}, headers={"Retry-After": "60"}), 429),
    ],
)
def test_a_server_that_does_not_ask(
    alice: Signer, monkeypatch: pytest.MonkeyPatch, answer: Exception | httpx.Response, status: int
) -> None:
    make_explicit(alice, "KEY")
    bearer = alice.log_in()

    def fail(_form: Any) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(alice.remote, "_ask", fail)
    refusal = authorize(alice, bearer, LEASE, authData=data(KEY=None))
    assert refusal.status_code == status
    assert refusal.headers.get("Retry-After") == {503: "5", 400: None, 429: "60"}[status]
    assert not PendingAuthorization.objects.exists()
    assert factor(alice.credential, "KEY").attempts == (0 if status == 503 else 1)


# --- Version 1 waits ----------------------------------------------------------------------------------------


def test_version_1_tells_that_it_asks_by_itself(alice: Signer) -> None:
    make_explicit(alice, "KEY", mode="implicit")
    wanted = {"credentialID": alice.credential.credential_id, "authInfo": True}
    told = call("credentials/info", wanted, alice.log_in(), version=1).json()
    assert told["authMode"] == "implicit"
    assert not {"PIN", "OTP"} & set(told)
    auth = call("credentials/info", wanted, alice.log_in()).json()["auth"]
    assert auth == {"mode": "explicit", "objects": []}


def test_a_call_of_version_1_that_nobody_answers_ends(alice: Signer, settings: Any) -> None:
    settings.RSSP_APPROVAL_WAIT_SECONDS = 1
    make_explicit(alice, "KEY", mode="implicit")
    started = time.monotonic()
    refused(authorize(alice, alice.log_in(), LEASE, version=1), ACCESS_DENIED, "access_denied")
    assert 1 <= time.monotonic() - started < 10
    assert PendingAuthorization.objects.get().state == "refused"


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_f4_a_call_of_version_1_waits_for_the_signer_and_others_are_turned_away(alice: Signer, settings: Any) -> None:
    settings.RSSP_APPROVAL_WAITS = 2
    make_explicit(alice, "KEY", mode="implicit")
    bearer, asked = alice.log_in(), Asked()

    def wait() -> Any:
        try:
            return authorize(alice, bearer, LEASE, version=1)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(wait)
        _until(lambda: len(alice.remote.asked) == 1)
        second = pool.submit(wait)
        _until(lambda: len(alice.remote.asked) == 2)
        full = authorize(alice, bearer, LEASE, version=1)
        assert (full.status_code, full.json()["error"]) == (503, "temporarily_unavailable")
        assert len(alice.remote.asked) == 2
        for number in (0, 1):
            alice.remote.asked.append(alice.remote.asked[number])
            approve(alice)
        sads = [opened(first.result(30)), opened(second.result(30))]
    assert len(set(sads)) == 2
    for sad in sads:
        assert alice.sign(bearer, LEASE, version=1, SAD=sad).status_code == 200
    assert asked.count == 2


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
