"""The operators' API over HTTP, against a real token: who is let in, and each act of a credential's life."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings as django_settings
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from authz.models import User
from rssp.errors import UnknownCredentialError
from rssp.models import AuditEvent, Credential, CredentialEnd, KeptAnswer
from rssp.services import clearing, inventory
from tests.authz.conftest import Person
from tests.rssp.conftest import ALIAS, Asked, Signer, digest, is_key_there
from tests.rssp.operators import (
    BASE,
    CONSOLE,
    REASON,
    ROBOT,
    get,
    new_credential,
    of,
    operator_settings,
    person,
    post,
    refused,
    request_of,
    robot,
)
from tests.rssp.remote import Remote
from tests.rssp.test_admin import act, operator, page_of
from tests.rssp.test_requests import VERIFIED
from tests.support.outside_authority import OutsideAuthority, openssl

__all__ = ["operator", "operator_settings"]
LEASE = digest("Lease")

# --- Who is let in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [get, lambda path, bearer: post(path, {}, bearer)])
def test_nobody_is_let_in_without_all_three(remote: Remote, settings: Any, method: Any) -> None:
    def answer(subject: str, scope: str, **members: Any) -> Any:
        return method("credentials", remote.grant(subject, scope, **members))

    refused(method("credentials", None), 401, "invalid_token")
    refused(method("credentials", "unknown"), 401, "invalid_token")
    for scope in ("service", "openid service", "credential", "operators"):
        refused(answer("bob", scope, client_id=CONSOLE), 403, "insufficient_scope")
    refused(answer("bob", "operator", client_id=CONSOLE, aud=[django_settings.GATEWAY_RESOURCE]), 401, "invalid_token")
    refused(answer("bob", "operator", client_id=CONSOLE, exp=1), 401, "invalid_token")
    refused(answer("bob", "operator", client_id=CONSOLE, iss="https://elsewhere.example"), 401, "invalid_token")
    refused(answer("bob", "operator", client_id=django_settings.GATEWAY_CLIENT_ID), 403, "access_denied")
    refused(method("credentials", robot(remote, "stranger")), 403, "access_denied")
    refused(method("credentials", robot(remote, CONSOLE)), 403, "access_denied")  # nobody answers for it
    bound = person(remote, cnf={"jkt": "x" * 43})
    refused(method("credentials", bound), 401, "invalid_token")
    settings.REQUIRED_ACR = "aal2"
    refused(method("credentials", person(remote, acr="aal1")), 401, "insufficient_user_authentication")
    settings.OPERATOR_API_CLIENTS = {}
    refused(method("credentials", person(remote, acr="aal2")), 403, "access_denied")


def test_an_operator_s_token_opens_no_method_of_the_csc_api(alice: Signer) -> None:
    for method in ("credentials/list", "signatures/signHash", "credentials/create"):
        headers = {"Authorization": f"Bearer {person(alice.remote)}"}
        answer = Client().post(f"/csc/v2/{method}", "{}", "application/json", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


def test_calls_are_counted_with_the_client_s_others(alice: Signer, settings: Any) -> None:
    settings.CSC_CALLS_PER_CLIENT = 2
    bearer = person(alice.remote)
    assert [get("counts", bearer).status_code for _ in range(3)] == [200, 200, 429]
    assert int(get("counts", bearer)["Retry-After"]) >= 1
    settings.CSC_CALLS_PER_ADDRESS = 1
    assert [get("counts", None).status_code for _ in range(2)] == [401, 429]


# --- Looking ------------------------------------------------------------------------------------------------


def test_credentials_are_found_by_filter_and_page(alice: Signer, bob: Signer) -> None:
    bearer = person(alice.remote)
    mine, his = alice.credential, bob.credential

    def found(**query: str) -> list[str]:
        answer = get("credentials", bearer, **query)
        assert answer.status_code == 200, answer.content
        return [row["credential_id"] for row in answer.json()["credentials"]]

    both = [his.credential_id, mine.credential_id]
    assert found() == both
    assert found(q=mine.certificate.serial_number) == found(q=mine.credential_id[:13]) == [mine.credential_id]
    assert found(subject=bob.subject, status="enabled", policy="demonstration") == [his.credential_id]
    assert found(q="nothing of the kind") == found(status="ended") == found(certificate_status="revoked") == []
    ends = mine.certificate.not_after
    assert found(expires_before=(ends + timedelta(days=1)).isoformat()) == both
    assert found(expires_before=(ends - timedelta(days=1)).date().isoformat()) == []
    first = get("credentials", bearer, limit="1").json()
    assert [row["credential_id"] for row in first["credentials"]] == both[:1]
    second = get("credentials", bearer, limit="1", cursor=first["next_cursor"]).json()
    assert ([row["credential_id"] for row in second["credentials"]], second["next_cursor"]) == (both[1:], None)


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": each} for each in ("0", "201", "-1", "x", "9" * 19)),
        *({"cursor": each} for each in ("", "x", "-1", "9" * 19)),
        *({"expires_before": each} for each in ("soon", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:00")),
        *({name: "x"} for name in ("status", "certificate_status", "unknown")),
        {"q": "x" * 101},
        {"q": "\0"},
        {"subject": "x" * 256},
        {"status": ["enabled", "ended"]},
    ],
)
def test_an_odd_question_is_refused(remote: Remote, query: dict[str, Any]) -> None:
    refused(get("credentials", person(remote), **query), 400, "invalid_request")


def test_one_credential_is_shown_with_its_certificates_and_what_was_done(alice: Signer) -> None:
    bearer = person(alice.remote)
    post(of(alice, "disable"), REASON, bearer)
    told = get(of(alice), bearer).json()
    assert (told["status"], told["certificate_status"], told["subject"]) == ("disabled", "valid", alice.subject)
    (certificate,) = told["certificates"]
    assert x509.load_pem_x509_certificate(certificate["pem"].encode()).public_bytes(Encoding.DER) == bytes(
        alice.credential.certificate.der
    )
    assert (told["events"][0]["by"], told["events"][0]["client_id"]) == ("bob@example.org", CONSOLE)
    assert told["events"][0]["reason"] == f"status set to disabled: {REASON['reason']}"
    numbers = ("requests/7", "requests/x", "requests/-1", "requests/%00")
    for unknown in ("credentials/unknown", f"credentials/{uuid.uuid4()}", "credentials/%00", *numbers):
        refused(get(unknown, bearer), 404, "not_found")
    counts = get("counts", bearer).json()
    assert counts["credentials"] == {"enabled": 0, "disabled": 1, "ended": 0}
    assert (counts["certificates"]["valid"], counts["proposed_ends"]) == (1, 0)
    refused(get("counts", bearer, since="yesterday"), 400, "invalid_request")


def test_a_name_that_no_database_keeps_is_asked_of_none(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0, using=ALIAS), pytest.raises(UnknownCredentialError):
        inventory.find_credential(credential_id="x\0")


def test_a_database_that_is_away_is_told_as_such(alice: Signer) -> None:
    bearer = person(alice.remote)

    def away(*_args: Any) -> Any:
        raise OperationalError("the connection is lost")

    for ask in (lambda: get("counts", bearer), lambda: post(of(alice, "disable"), REASON, bearer, "one")):
        with connections[ALIAS].execute_wrapper(away):
            answer = ask()
        refused(answer, 503, "temporarily_unavailable")


# --- Acts ---------------------------------------------------------------------------------------------------


def test_a_credential_is_disabled_enabled_suspended_and_resumed(alice: Signer, asked: Asked) -> None:
    bearer = person(alice.remote)
    for close, opened, sentence in (("disable", "enable", "disabled"), ("suspend", "resume", "suspended")):
        approval = alice.approve(LEASE)
        answer = post(of(alice, close), REASON, bearer)
        assert answer.status_code == 200, answer.content
        assert sentence in {answer.json()["status"], answer.json()["certificate_status"]}
        refused(post(of(alice, close), REASON, bearer), 409, "wrong_state")
        assert sentence in alice.sign(approval, LEASE).json()["error_description"]
        assert asked.count == 0
        assert post(of(alice, opened), REASON, bearer).json()["status"] == "enabled"
        refused(post(of(alice, opened), REASON, bearer), 409, "wrong_state")
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    told = AuditEvent.objects.filter(action="administer").order_by("sequence")
    assert [row.result for row in told] == ["done", "refused", "done", "refused"] * 2
    assert {(row.client_id, row.address) for row in told} == {(CONSOLE, "127.0.0.1")}
    assert {row.subject for row in told.filter(result="done")} == {"bob@example.org"}


def test_a_revoked_credential_has_no_key_and_is_never_opened_again(alice: Signer, bob: Signer, asked: Asked) -> None:
    bearer, approval = person(alice.remote), alice.approve(LEASE)
    answer = post(of(alice, "revoke"), {"reason_code": "key_compromise", **REASON}, bearer)
    assert (answer.status_code, answer.json()["status"], answer.json()["proposed_end"]) == (200, "ended", None)
    assert (answer.json()["certificate_status"], answer.json()["key_state"]) == ("revoked", "destroyed")
    assert not is_key_there(alice.credential.key)
    assert is_key_there(bob.credential.key)
    assert alice.sign(approval, LEASE).status_code == 400
    assert asked.count == 0
    shown = get(of(alice), bearer).json()
    assert shown["certificates"][0]["revocation_reason"] == "key_compromise"
    for again in ("enable", "disable", "suspend", "resume", "withdraw", "renew"):
        refused(post(of(alice, again), REASON, bearer), 409, "wrong_state")
    refused(post(of(alice, "revoke"), {"reason_code": "superseded", **REASON}, bearer), 409, "wrong_state")


def test_four_eyes_are_two_people_by_whatever_way_they_come(
    alice: Signer, operator: Person, settings: Any, asked: Asked
) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    remote, sure = alice.remote, {"reason_code": "superseded", **REASON}
    admin = str(User.objects.get(email=operator.email).sub)
    settings.OPERATOR_API_CLIENTS[ROBOT] = admin
    proposed = post(of(alice, "revoke"), sure, robot(remote))
    assert (proposed.status_code, proposed.json()["status"]) == (202, "enabled")
    assert proposed.json()["proposed_end"]["proposed_by"] == f"client {ROBOT}"
    assert get("counts", robot(remote)).json()["proposed_ends"] == 1
    # The same person: by the same client, by a token of their own, and in the administration.
    refused(post(of(alice, "revoke"), sure, robot(remote)), 403, "second_operator")
    refused(post(of(alice, "revoke"), sure, person(remote, admin)), 403, "second_operator")
    form = {"confirmed": "End it for good", "reason": "By letter", "code": "superseded"}
    act(operator, "end", alice.credential, **form)
    page = page_of(operator.browser.get("/admin/rssp/credential/"))
    assert "You proposed this. The second operator is somebody else." in page
    assert is_key_there(alice.credential.key)
    assert post(of(alice, "withdraw"), REASON, person(remote, "dora")).status_code == 200
    refused(post(of(alice, "withdraw"), REASON, person(remote, "dora")), 409, "wrong_state")
    assert post(of(alice, "revoke"), sure, person(remote, "dora")).status_code == 202
    act(operator, "end", alice.credential, **form)
    assert not is_key_there(alice.credential.key)
    assert CredentialEnd.objects.get(withdrawn=None).confirmed_by == operator.email
    refusal = AuditEvent.objects.filter(result="refused").earliest("sequence")
    assert (refusal.subject, refusal.client_id) == (ROBOT, ROBOT)
    assert refusal.credential_id == alice.credential.credential_id


def test_nobody_ends_or_renews_their_own(alice: Signer, settings: Any) -> None:
    settings.OPERATOR_API_CLIENTS[ROBOT] = alice.subject
    for bearer in (person(alice.remote, alice.subject), robot(alice.remote)):
        refused(post(of(alice, "revoke"), {"reason_code": "superseded", **REASON}, bearer), 403, "own_credential")
        refused(post(of(alice, "renew"), REASON, bearer), 403, "own_credential")
    assert is_key_there(alice.credential.key)


def test_a_request_is_approved_issued_and_renewed_with_the_same_key_and_a_new_one(
    alice: Signer, tmp_path: Path, asked: Asked
) -> None:
    bearer, request = person(alice.remote), request_of(alice)
    (waiting,) = get("requests", bearer, state="waiting").json()["requests"]
    assert (waiting["number"], waiting["subject"]) == (request.pk, alice.subject)
    path = f"requests/{request.pk}"
    refused(post(f"{path}/issue", {}, bearer), 409, "wrong_state")
    refused(post(f"{path}/csr", {}, bearer), 409, "wrong_state")
    evidence = {"evidence": "Passport, seen on 24 November"}
    refused(post(f"{path}/approve", evidence, bearer), 400, "invalid_request")
    done = post(f"{path}/approve", {"attributes": VERIFIED, **evidence}, bearer)
    assert (done.status_code, done.json()["state"]) == (200, "issued"), done.content
    assert {row["verifier"] for row in done.json()["attributes"] if row["source"] == "operator"} == {"bob@example.org"}
    refused(post(f"{path}/refuse", REASON, bearer), 409, "wrong_state")
    alice.credential = Credential.objects.get(credential_id=request.credential_id)
    for new_key in (False, True):
        before = alice.credential.key
        renewed = post(of(alice, "renew"), {"new_key": new_key, **REASON}, bearer)
        assert (renewed.status_code, renewed.json()["is_renewal"]) == (200, True), renewed.content
        alice.credential = Credential.objects.get(pk=alice.credential.pk)
        assert (alice.credential.key != before) is new_key
        assert is_key_there(before) is not new_key
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    history = get(of(alice), bearer).json()["certificates"]
    assert [row["status"] for row in history] == ["valid", "revoked", "valid"]
    # What was issued first under the first key is still good for what it signed; OpenSSL reads each.
    for number, row in enumerate(history):
        (tmp_path / f"{number}.pem").write_text(row["pem"])
        told = openssl("x509", "-in", tmp_path / f"{number}.pem", "-noout", "-serial", "-subject").decode()
        assert f"serial={int(row['serial_number'], 16):X}" in told.replace("serial=0", "serial=")
        assert "Alice Example" in told


def test_a_request_goes_out_and_its_certificate_comes_in(alice: Signer, settings: Any, tmp_path: Path) -> None:
    authority = OutsideAuthority(tmp_path)
    settings.CERTIFICATE_ISSUERS, settings.OUTSIDE_ANCHORS_FILE = {"signer": "by-hand"}, str(tmp_path / "root.pem")
    bearer, request = person(alice.remote), request_of(alice)
    path = f"requests/{request.pk}"
    answer = post(f"{path}/approve", {"attributes": VERIFIED, "evidence": "Passport"}, bearer)
    assert (answer.status_code, answer.json()["state"]) == (202, "approved")
    refused(post(f"{path}/issue", {}, bearer), 503, "temporarily_unavailable")
    csr = post(f"{path}/csr", {}, bearer).json()["csr"]
    (tmp_path / "out.csr").write_text(csr)
    assert b"CN = Alice Example" in openssl("req", "-in", tmp_path / "out.csr", "-verify", "-noout", "-subject")
    der = x509.load_pem_x509_csr(csr.encode()).public_bytes(Encoding.DER)
    stranger = authority.certify(authority.request_of_its_own("Alice Example"))
    wrong = x509.load_der_x509_certificate(stranger).public_bytes(Encoding.PEM).decode()
    for given in (wrong, "no certificate", csr):
        refused(post(f"{path}/certificate", {"certificate": given}, bearer), 422, "wrong_certificate")
    authority.certify(der)
    chain = (tmp_path / "signer.pem").read_text() + (tmp_path / "issuing.pem").read_text()
    done = post(f"{path}/certificate", {"certificate": chain}, bearer)
    assert (done.status_code, done.json()["state"]) == (200, "issued"), done.content
    refused(post(f"{path}/certificate", {"certificate": chain}, bearer), 409, "wrong_state")
    assert get(f"credentials/{request.credential_id}", bearer).json()["certificate_status"] == "valid"


def test_a_refused_request_leaves_no_key(alice: Signer) -> None:
    request = request_of(alice)
    done = post(f"requests/{request.pk}/refuse", {"reason": "A false passport"}, person(alice.remote))
    assert (done.json()["state"], done.json()["reason"]) == ("refused", "A false passport")
    request.refresh_from_db()
    assert not is_key_there(request.own_key)


def test_an_explicit_credential_is_made_once_for_a_key_and_its_pin_is_kept_nowhere(alice: Signer) -> None:
    bearer, wanted = person(alice.remote), new_credential()
    first = post("credentials", wanted, bearer, "one")
    assert (first.status_code, first.json()["auth_mode"]) == (201, "explicit"), first.content
    again = post("credentials", wanted, bearer, "one")
    assert (again.status_code, again.json()) == (201, first.json())
    assert Credential.objects.filter(subject="alice").count() == 1
    refused(post("credentials", wanted | {"reason": "Another"}, bearer, "one"), 422, "idempotency_key_reused")
    refused(post(of(alice, "disable"), REASON, bearer, "one"), 422, "idempotency_key_reused")
    other = post("credentials", wanted, person(alice.remote, "carol"), "one")  # somebody else's key is another
    assert other.json()["credential_id"] != first.json()["credential_id"]
    kept = KeptAnswer.objects.get(subject="bob")
    assert "271828" not in f"{kept.request} {kept.body}"
    event = AuditEvent.objects.filter(credential_id=first.json()["credential_id"]).earliest("sequence")
    assert "by bob@example.org: By letter" in event.reason
    KeptAnswer.objects.update(status=None, lease_until=timezone.now() + timedelta(minutes=1))
    refused(post("credentials", wanted, bearer, "one"), 409, "call_under_way")
    KeptAnswer.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    assert post("credentials", wanted, bearer, "one").status_code == 201  # who began died
    KeptAnswer.objects.update(expires=timezone.now() - timedelta(minutes=1))
    assert clearing.clear_expired() >= 2
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("mode", "subject", "common_name", "certificate_policy", "key_algorithm", "reason")),
        *({"mode": each} for each in ("oauth2code", "", 1)),
        *({"objects": each} for each in ([], {}, "x", [1], [{"name": "PIN"}], [{"name": "PIN", "kind": "x"}])),
        {"objects": [{"name": "PIN", "kind": "pin", "secret": "1"}]},
        {"objects": [{"name": "PIN", "kind": "pin", "secret": "271828", "more": 1}]},
        {"mode": "external"},
        {"mode": "external", "objects": None},
        {"mode": "implicit"},
        *({"key_algorithm": each} for each in ("rsa-512", 1)),
        {"certificate_policy": "unknown"},
        {"subject": "x" * 256},
        *({"multisign": each} for each in (0, 101, "1", True, 10**30)),
        *({"scal": each} for each in ("3", 2)),
        {"expression": "PIN AND"},
        {"extra": 1},
    ],
)
def test_an_odd_credential_is_not_made(alice: Signer, changes: dict[str, Any]) -> None:
    keys = Credential.objects.count()
    refused(post("credentials", new_credential(**changes), person(alice.remote), "key"), 400, "invalid_request")
    assert (Credential.objects.count(), KeptAnswer.objects.count()) == (keys, 0)


@pytest.mark.parametrize(
    ("act_", "body"),
    [
        *(
            (act_, body)
            for act_ in ("enable", "disable", "suspend", "withdraw", "renew")
            for body in ({}, {"reason": "x"})
        ),
        *(("disable", {"reason": each}) for each in ("x" * 151, "  x ", 1, None)),
        ("disable", {**REASON, "unknown": 1}),
        ("renew", {**REASON, "new_key": "yes"}),
        ("revoke", REASON),
        *(("revoke", {"reason_code": each, **REASON}) for each in ("", "because", "certificate_hold", "ca_compromise")),
        ("disable", b'{"reason": "Why not", "reason": "Why"}'),
        ("disable", b'{"reason": "Why not", "more": NaN}'),
        ("disable", b"[" * 100_000),
        ("disable", b"\xff"),
        ("disable", b"[]"),
        ("disable", b""),
    ],
)
def test_an_odd_act_changes_nothing(alice: Signer, act_: str, body: Any) -> None:
    refused(post(of(alice, act_), body, person(alice.remote)), 400, "invalid_request")
    assert get(of(alice), person(alice.remote)).json()["status"] == "enabled"
    assert not AuditEvent.objects.filter(action="administer").exists()


def test_what_is_too_long_or_no_json_or_of_another_method_is_refused(alice: Signer) -> None:
    bearer = person(alice.remote)
    refused(post(of(alice, "disable"), b'{"reason": "' + b"x" * 512 * 1024 + b'"}', bearer), 413, "invalid_request")
    headers = {"Authorization": f"Bearer {bearer}"}
    form = Client().post(BASE + of(alice, "disable"), {"reason": "By form"}, headers=headers)
    refused(form, 400, "invalid_request")
    for key in ("", "x" * 256, "\u00e9"):
        refused(post(of(alice, "disable"), REASON, bearer, key), 400, "invalid_request")
    for method, path in (
        ("get", of(alice, "disable")),
        ("delete", of(alice)),
        ("post", "counts"),
        ("put", "credentials"),
    ):
        answer = getattr(Client(), method)(BASE + path, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (405, "invalid_request")
        assert answer["Allow"]
    refused(post("credentials/unknown/disable", REASON, bearer), 404, "not_found")
    refused(post("requests/0/refuse", REASON, bearer), 404, "not_found")
    assert not KeptAnswer.objects.exists()
