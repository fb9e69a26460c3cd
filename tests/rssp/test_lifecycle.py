"""Credentials that end: for good, by one operator or two; and those whose certificates end by themselves."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from rssp import tasks
from rssp.errors import CredentialEndedError, EvidenceMissingError, OwnRequestError, SecondOperatorError
from rssp.models import AuditEvent, Certificate, Credential, CredentialEnd, PasskeyBinding
from rssp.services import lifecycle, operating
from rssp.services.operating import Operator
from tests.authz.conftest import Person
from tests.rssp.conftest import Asked, Signer, call, digest, is_key_there
from tests.rssp.test_admin import act, operator, page_of
from tests.rssp.test_request_admin import colleague
from tests.support.instance import Instance
from tests.support.softhsm import Token

__all__ = ["operator"]
LEASE = digest("Lease")
BOB = Operator("bob@example.org", "r", "192.0.2.1", "bob")
CAROL = Operator("carol@example.org", "r", "192.0.2.1", "carol")


def end(credential: Credential, operator: Operator = BOB, **changes: str) -> CredentialEnd:
    given = {"code": "key_compromise", "text": "Her phone was stolen", **changes}
    return lifecycle.end_credential(credential=credential, operator=operator, **given)


def key_is_there(credential: Credential) -> bool:
    return is_key_there(credential.key)


def test_an_ended_credential_signs_nothing_and_leaves_no_key(alice: Signer, bob: Signer, asked: Asked) -> None:
    token, service = alice.approve(LEASE), alice.log_in()
    done = end(alice.credential)
    assert (done.proposed_by, done.confirmed_by) == (BOB.name, BOB.name)
    answer = alice.sign(token, LEASE)
    assert answer.json()["error_description"] == "The credential identified by credentialID is disabled"
    assert asked.count == 0
    assert not key_is_there(alice.credential)
    assert key_is_there(bob.credential)
    credential = Credential.objects.get(pk=alice.credential.pk)
    assert (credential.status, credential.certificate.status) == ("ended", "revoked")
    assert credential.certificate.revocation_reason == "key_compromise"
    assert not PasskeyBinding.objects.filter(credential=credential, unbound=None).exists()
    info = call("credentials/info", {"credentialID": credential.credential_id}, service).json()
    assert (info["key"]["status"], info["cert"]["status"]) == ("disabled", "revoked")
    event = AuditEvent.objects.filter(action="administer").latest("sequence")
    assert (event.subject, event.reason) == (BOB.name, "credential ended (key_compromise): Her phone was stolen")
    for _ in range(2):
        with pytest.raises(CredentialEndedError):
            end(alice.credential)
        assert not operating.set_status(credential=credential, status="enabled", reason="again", operator=BOB)
    assert bob.sign(bob.approve(LEASE), LEASE).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"text": ""}, {"text": " no "}, {"text": "x" * 201}, {"code": ""}, {"code": "because"}]
)
def test_an_end_without_a_reason_changes_nothing(alice: Signer, changes: dict[str, str]) -> None:
    with pytest.raises(EvidenceMissingError):
        end(alice.credential, **changes)
    assert not CredentialEnd.objects.exists()
    assert key_is_there(alice.credential)
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200


def test_an_end_by_its_owner_as_operator_is_refused(alice: Signer) -> None:
    with pytest.raises(OwnRequestError):
        end(alice.credential, Operator("alice@example.org", "", "", alice.subject))
    assert not CredentialEnd.objects.exists()


def test_two_operators_end_what_one_only_proposes(alice: Signer, settings: Any) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    assert end(alice.credential).confirmed is None
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    with pytest.raises(SecondOperatorError):
        end(alice.credential)
    assert key_is_there(alice.credential)
    done = end(alice.credential, CAROL, code="superseded", text="Confirmed by telephone")
    assert (done.code, done.proposed_by, done.confirmed_by) == ("key_compromise", BOB.name, CAROL.name)
    assert not key_is_there(alice.credential)
    told = AuditEvent.objects.filter(action="administer").order_by("sequence").values_list("subject", "reason")
    assert list(told) == [
        (BOB.name, "credential end proposed (key_compromise): Her phone was stolen"),
        (CAROL.name, "credential ended (key_compromise): Confirmed by telephone"),
    ]


def test_a_withdrawn_proposal_counts_no_more(alice: Signer, settings: Any) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    end(alice.credential)
    assert lifecycle.withdraw_end(credential=alice.credential, text="Found again", operator=CAROL)
    assert not lifecycle.withdraw_end(credential=alice.credential, text="Found again", operator=CAROL)
    assert end(alice.credential, CAROL).confirmed is None  # the first of two again
    assert key_is_there(alice.credential)


def test_an_end_without_the_token_holds_and_the_key_goes_later(
    alice: Signer, token: Token, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    settings.KEY_STORAGE = "resident"  # a wrapped key needs no token to end
    alice.own_credential()
    token.move_away()
    try:
        assert end(alice.credential).confirmed is not None
        assert lifecycle.destroy_keys_of_ended() == 0
    finally:
        token.bring_back()
    alice.credential.key.refresh_from_db()
    assert alice.credential.key.state == "assigned"
    assert key_is_there(alice.credential)
    assert lifecycle.destroy_keys_of_ended() == 1
    assert not key_is_there(alice.credential)
    assert lifecycle.destroy_keys_of_ended() == 0


def test_the_command_is_one_operator(alice: Signer, settings: Any, capsys: Any) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    told = (alice.credential.credential_id, "--code", "superseded", "--reason", "A newer one is there")
    call_command("end_credential", *told)
    assert "proposed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="proposed it"):
        call_command("end_credential", *told)
    end(alice.credential, CAROL)
    with pytest.raises(CommandError, match="ended already"):
        call_command("end_credential", *told)
    with pytest.raises(CommandError, match="no such"):
        call_command("end_credential", "nothing", *told[1:])


def test_the_admin_asks_proposes_and_ends(alice: Signer, operator: Person, settings: Any) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    sure = {"confirmed": "1", "reason": "Alice left", "code": "affiliation_changed"}
    for missing in ({}, sure | {"reason": " "}, sure | {"code": ""}, sure | {"code": "x"}):
        page = page_of(act(operator, "end", alice.credential, **missing))
        assert alice.credential.credential_id in page
        assert "no way back" in page
        assert ("Say why" in page) is bool(missing)
    assert not CredentialEnd.objects.exists()
    assert act(operator, "end", alice.credential, **sure).status_code == 302
    queue = page_of(operator.browser.get("/admin/rssp/credential/?proposed=yes"))
    assert "A second operator must confirm it" in queue
    assert alice.credential.credential_id in queue
    act(operator, "end", alice.credential, **sure)
    assert "You proposed this" in page_of(operator.browser.get("/admin/rssp/credential/"))
    carol = colleague()
    page = page_of(act(carol, "end", alice.credential))
    assert operator.email in page
    assert "Alice left" in page
    act(carol, "end", alice.credential, **sure)
    assert Credential.objects.get().status == "ended"
    assert not key_is_there(alice.credential)
    act(carol, "enable", alice.credential, confirmed="1", reason="a mistake")
    assert Credential.objects.get().status == "ended"


def test_a_proposal_is_withdrawn_in_the_admin_with_a_reason(alice: Signer, operator: Person, settings: Any) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    end(alice.credential)
    page_of(act(operator, "withdraw", alice.credential))
    assert CredentialEnd.objects.filter(withdrawn=None).exists()
    act(operator, "withdraw", alice.credential, confirmed="1", reason="Found again")
    assert not CredentialEnd.objects.filter(withdrawn=None).exists()


@pytest.fixture
def soon(alice: Signer, bob: Signer, settings: Any) -> Credential:
    """Alice's certificate ends in ten days, Bob's in a year."""
    settings.OPERATOR_ADDRESSES, settings.EXPIRY_WARNING_DAYS = ["operators@example.org"], 30
    ends = timezone.now() + timedelta(days=10)
    Certificate.objects.filter(pk=alice.credential.certificate_id).update(not_after=ends)
    return alice.credential


def test_operators_read_which_certificates_end_soon(soon: Credential, operator: Person, capsys: Any) -> None:
    tasks.warn_of_expiry()
    (letter,) = mail.outbox
    assert letter.to == ["operators@example.org"]
    assert letter.body.count("\n") == 0
    assert soon.credential_id in letter.body
    assert soon.subject not in letter.body
    call_command("list_expiring")
    assert capsys.readouterr().out.count("\n") == 1
    call_command("list_expiring", "--days", "5")
    assert capsys.readouterr().out == ""
    call_command("list_expiring", "--days", "1000")
    assert capsys.readouterr().out.count("\n") == 2
    near = page_of(operator.browser.get("/admin/rssp/credential/?ends=30"))
    assert "1 credential" in near
    assert "0 credentials" in page_of(operator.browser.get("/admin/rssp/credential/?ends=7"))


@pytest.mark.parametrize("why", ["expired", "revoked", "disabled", "no address"])
def test_nobody_is_warned_of_what_cannot_sign(soon: Credential, settings: Any, why: str) -> None:
    mine = Certificate.objects.filter(pk=soon.certificate_id)
    if why == "expired":
        mine.update(not_after=timezone.now())
    elif why == "revoked":
        mine.update(status="revoked")
    elif why == "disabled":
        Credential.objects.filter(pk=soon.pk).update(status="disabled")
    else:
        settings.OPERATOR_ADDRESSES = []
    tasks.warn_of_expiry()
    assert mail.outbox == []


RACE = """
import json, threading, uuid
from django.db import connections
from django.utils import timezone
from rssp.errors import RsspError
from rssp.models import *
from rssp.services import lifecycle
from rssp.services.operating import Operator

lifecycle._destroy = lambda credential: True  # there is no token here
now = timezone.now()

def make():
    key = SigningKey.objects.create(
        key_id=uuid.uuid4().bytes, key_algorithm="ec-p256", public_key=b"k", storage="resident", state="assigned")
    root = Certificate.objects.create(serial_number=uuid.uuid4().hex, role="outside", profile="p", subject="CN=R",
        not_before=now, not_after=now, state="issued")
    certificate = Certificate.objects.create(serial_number=uuid.uuid4().hex, role="signer", profile="p", subject="CN=A",
        not_before=now, not_after=now, state="issued", issuer=root)
    return Credential.objects.create(credential_id=str(uuid.uuid4()), issuer="i", subject="s", key=key,
        certificate=certificate, certificate_policy="p", description="d")

def round(names):
    row, barrier, told = make(), threading.Barrier(len(names)), []
    def act(name):
        barrier.wait()
        try:
            end = lifecycle.end_credential(
                credential=row, code="superseded", text="because", operator=Operator(name, "", "", name))
            told.append("ended" if end.confirmed else "proposed")
        except RsspError as error:
            told.append(type(error).__name__)
        except Exception as error:
            told.append(repr(error))
        finally:
            connections.close_all()
    threads = [threading.Thread(target=act, args=(name,)) for name in names]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return [CredentialEnd.objects.filter(credential=row).count(), sorted(told)]

print(json.dumps([round(NAMES) for _ in range(10)]))
"""


@pytest.mark.instance
@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("four_eyes", "names", "told"),
    [
        ("lifecycle", ["bob", "carol"], ["ended", "proposed"]),
        ("lifecycle", ["bob", "bob"], ["SecondOperatorError", "proposed"]),
        ("", ["bob", "carol"], ["CredentialEndedError", "ended"]),
    ],
)
def test_operators_who_end_at_once(
    tmp_path: Path, postgresql_url: str, four_eyes: str, names: list[str], told: list[str]
) -> None:
    instance = Instance(tmp_path, 1, "rssp", {"FOUR_EYES": four_eyes, "DATABASE_URL_RSSP": postgresql_url})
    instance.manage("migrate")
    script = RACE.replace("NAMES", repr(names))
    rounds = json.loads(instance.manage("shell", "--no-imports", "-c", script, capture=True))
    assert rounds == [[1, told]] * 10
