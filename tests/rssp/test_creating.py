"""``credentials/create``: one approval, one key, one certificate; what cannot be made costs no approval."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from rssp.models import AuditEvent, Certificate, Credential
from rssp.services.hsm import get_hsm
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.rssp.remote import Remote, approve_creation
from tests.support.softhsm import Token

LEASE = digest("Lease")
WANTED = {"credentialCreationRequest": {"certificatePolicy": "demonstration", "keyAlgorithm": "ec-p256"}}


@pytest.fixture
def approval(alice: Signer, remote: Remote) -> str:
    return approve_creation(remote, alice.key, alice.subject, "ec-p256")


def test_one_approval_makes_one_credential(alice: Signer, approval: str, asked: Asked) -> None:
    made = call("credentials/create", WANTED, approval)
    assert made.status_code == 201, made.content
    assert asked.count == 1  # the authority's, over the certificate
    alice.credential = Credential.objects.get(credential_id=made.json()["credentialID"])
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    keys = set(get_hsm().list_key_ids())
    assert call("credentials/create", WANTED, approval).json()["error_description"] == "Invalid parameter SAD"
    assert set(get_hsm().list_key_ids()) == keys
    assert asked.count == 2


def test_the_same_assertion_behind_a_second_token_makes_nothing(alice: Signer, approval: str, asked: Asked) -> None:
    assert call("credentials/create", WANTED, approval).status_code == 201
    alice.remote.tokens["second"] = alice.remote.tokens[approval]
    assert call("credentials/create", WANTED, "second").json()["error_description"] == "Invalid parameter SAD"
    assert asked.count == 1


@pytest.mark.parametrize(
    ("member", "value"), [("keyAlgorithm", "rsa-2048"), ("keyAlgorithm", "x"), ("certificatePolicy", "qualified")]
)
def test_what_was_not_approved_is_not_made(approval: str, asked: Asked, member: str, value: str) -> None:
    other = {"credentialCreationRequest": WANTED["credentialCreationRequest"] | {member: value}}
    assert call("credentials/create", other, approval).json()["error_description"] == f"Invalid parameter {member}"
    assert asked.count == 0
    assert call("credentials/create", WANTED, approval).status_code == 201


@pytest.mark.parametrize("change", ["service", "credential"])
def test_a_token_for_something_else_makes_nothing(alice: Signer, asked: Asked, change: str) -> None:
    token = alice.log_in() if change == "service" else alice.approve(LEASE)
    assert call("credentials/create", WANTED, token).status_code == 403
    assert asked.count == 0


def test_a_lie_about_the_approved_name_is_refused(alice: Signer, approval: str, asked: Asked) -> None:
    detail = alice.remote.tokens[approval]["authorization_details"][0]
    detail["subject"]["commonName"] = "Mallory"
    assert call("credentials/create", WANTED, approval).json()["error_description"] == "Invalid parameter SAD"
    assert asked.count == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"certificate_policy": "gold"}, "Invalid parameter certificatePolicy"),
        ({"common_name": "a" * 65}, "The certificate cannot be made: a name in a certificate has 1 to 64 characters."),
        ({"email": "@"}, "The certificate cannot be made: the e-mail address cannot stand in a certificate."),
    ],
)
def test_what_no_certificate_can_hold_is_refused_before_the_approval_is_spent(
    alice: Signer, remote: Remote, asked: Asked, changes: dict[str, str], sentence: str
) -> None:
    approval = approve_creation(remote, alice.key, alice.subject, "ec-p256", **changes)
    wanted = {"certificatePolicy": changes.get("certificate_policy", "demonstration"), "keyAlgorithm": "ec-p256"}
    for _ in range(2):  # the same answer again: nothing was spent
        answer = call("credentials/create", {"credentialCreationRequest": wanted}, approval)
        assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)
    assert asked.count == 0


def test_an_authority_that_cannot_issue_is_503_and_costs_no_approval(approval: str, asked: Asked) -> None:
    issuing = Certificate.objects.filter(role="issuing")
    until = issuing.get().not_after
    issuing.update(not_after=timezone.now() - timedelta(days=1))
    answer = call("credentials/create", WANTED, approval)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    issuing.update(status="suspended")
    assert call("credentials/create", WANTED, approval).status_code == 503
    assert asked.count == 0
    issuing.update(not_after=until, status="valid")
    assert call("credentials/create", WANTED, approval).status_code == 201


def test_a_token_that_goes_away_costs_no_approval(
    token: Token, approval: str, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    token.move_away()
    try:
        answer = call("credentials/create", WANTED, approval)
    finally:
        token.bring_back()
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert (asked.count, AuditEvent.objects.latest("sequence").result) == (0, "unavailable")
    assert call("credentials/create", WANTED, approval).status_code == 201


def test_a_creation_that_cannot_be_recorded_leaves_no_key_and_no_good_certificate(
    alice: Signer, approval: str, asked: Asked
) -> None:
    keys = set(get_hsm().list_key_ids())
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full BEFORE INSERT ON rssp_passkeybinding BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    answer = call("credentials/create", WANTED, approval)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert set(get_hsm().list_key_ids()) == keys
    event = AuditEvent.objects.latest("sequence")
    assert event.result == "failed"
    assert "the key was destroyed; the certificate was revoked" in event.reason
    assert Certificate.objects.latest("pk").status == "revoked"
    assert Credential.objects.count() == 1
    assert call("credentials/create", WANTED, approval).json()["error_description"] == "Invalid parameter SAD"


def test_keys_behind_nothing_are_listed_and_destroyed_on_request_alone(alice: Signer, capsys: Any) -> None:
    call_command("list_orphan_keys", "--destroy")  # of other tests
    capsys.readouterr()
    get_hsm().generate_key(key_id=b"orphan-key-id-16", label="left behind", key_algorithm="ec-p256")
    call_command("list_orphan_keys")
    assert capsys.readouterr().out == f"{b'orphan-key-id-16'.hex()}\n"
    call_command("list_orphan_keys", "--destroy")
    assert "destroyed" in capsys.readouterr().out
    assert AuditEvent.objects.latest("sequence").subject == "console"
    call_command("list_orphan_keys")
    assert capsys.readouterr().out == ""
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
