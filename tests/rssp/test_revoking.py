"""Changes of a certificate's status: which there are, what ends with them, and that they are one with what follows."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from rssp.models import ActivatedDigest, AuditEvent, Certificate, RevocationScope
from rssp.pki.crl import REASON_CODES
from rssp.services import ledger, revoking, signing
from rssp.services.authority import certificate_status
from rssp.services.revoking import resume_certificate, revoke_certificate, suspend_certificate
from rssp.services.sweeping import sweep_ledger
from tests.rssp.conftest import ALIAS, Asked, Signer, digest
from tests.rssp.test_ledger import LONG_AGO, states

LEASE, ANNEX = digest("Lease"), digest("Annex")


@pytest.fixture
def certificate(alice: Signer) -> Certificate:
    return alice.credential.certificate


def changes(certificate: Certificate) -> int:
    return RevocationScope.objects.get(issuer=certificate.issuer, partition=certificate.partition).changes


def test_each_change_is_a_version_of_its_own_and_makes_the_list_stale(certificate: Certificate) -> None:
    counted = changes(certificate)
    acts: list[Any] = [
        lambda: suspend_certificate(certificate=certificate),
        lambda: resume_certificate(certificate=certificate),
        lambda: suspend_certificate(certificate=certificate),
        lambda: revoke_certificate(certificate=certificate, reason="key_compromise"),
    ]
    for number, act in enumerate(acts, start=1):
        assert act()
        assert (certificate.status_version, changes(certificate)) == (number, counted + number)


def test_what_changes_nothing_changes_nothing(certificate: Certificate) -> None:
    assert not resume_certificate(certificate=certificate)
    assert suspend_certificate(certificate=certificate)
    assert not suspend_certificate(certificate=certificate)
    assert revoke_certificate(certificate=certificate, reason="superseded")
    before = (certificate.status_version, changes(certificate), certificate.revoked_at)
    assert not revoke_certificate(certificate=certificate, reason="key_compromise")
    assert not suspend_certificate(certificate=certificate)
    assert not resume_certificate(certificate=certificate)
    certificate.refresh_from_db()
    assert (certificate.status_version, changes(certificate), certificate.revoked_at) == before
    assert (certificate.status, certificate.revocation_reason) == ("revoked", "superseded")


def test_a_hold_that_becomes_a_revocation_keeps_its_date(certificate: Certificate) -> None:
    suspend_certificate(certificate=certificate)
    assert certificate_status(certificate, timezone.now()) == "suspended"
    held = certificate.revoked_at
    assert held is not None
    revoke_certificate(certificate=certificate, reason="key_compromise")
    assert (certificate.revoked_at, certificate.revocation_reason) == (held, "key_compromise")


def test_what_is_resumed_bears_no_trace_of_the_hold(certificate: Certificate) -> None:
    suspend_certificate(certificate=certificate)
    resume_certificate(certificate=certificate)
    assert (certificate.status, certificate.revoked_at, certificate.revocation_reason) == ("valid", None, "")


@pytest.mark.parametrize("reason", ["", "certificate_hold", "remove_from_crl", "because", "KEY_COMPROMISE"])
def test_a_reason_that_is_none_revokes_nothing(certificate: Certificate, reason: str) -> None:
    with pytest.raises(ValueError):
        revoke_certificate(certificate=certificate, reason=reason)
    certificate.refresh_from_db()
    assert certificate.status == "valid"


def test_every_reason_has_its_code() -> None:
    assert set(REASON_CODES) == {"", *Certificate.Reason.values}


def test_a_change_and_what_follows_are_one(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_arguments: Certificate) -> None:
        raise DatabaseError("disk full")

    counted = changes(certificate)
    monkeypatch.setattr(revoking, "withdraw_approvals", fail)
    with pytest.raises(DatabaseError), transaction.atomic(using=ALIAS):
        revoke_certificate(certificate=certificate, reason="key_compromise")
    certificate.refresh_from_db()
    assert (certificate.status, changes(certificate)) == ("valid", counted)


def test_what_was_approved_before_a_hold_is_not_signed_after_it(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE, ANNEX)
    assert alice.sign(token, LEASE).status_code == 200
    suspend_certificate(certificate=alice.credential.certificate)
    assert states() == ["signed", "withdrawn"]
    answer = alice.sign(token, ANNEX)
    assert answer.json()["error_description"] == "Signing certificate 'CN=Alice Example' is suspended."
    resume_certificate(certificate=alice.credential.certificate)
    answer = alice.sign(token, ANNEX)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Hash is not authorized by the SAD.")
    event = AuditEvent.objects.latest("sequence")
    assert (event.result, event.reason.split(":")[0]) == ("refused", "DigestWithdrawnError")
    assert asked.count == 1
    assert alice.sign(alice.approve(ANNEX), ANNEX).status_code == 200


def test_approvals_of_other_credentials_live_on(alice: Signer, bob: Signer) -> None:
    token = bob.approve(LEASE)
    bob.sign(token, digest("Other"))  # now it is known here
    revoke_certificate(certificate=alice.credential.certificate, reason="key_compromise")
    assert states() == ["authorised"]
    assert bob.sign(token, LEASE).status_code == 200


def test_a_revocation_between_reserving_and_the_intent_comes_first(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = alice.approve(LEASE)

    def overtaken(*, reservation: ledger.Reservation) -> None:
        revoke_certificate(certificate=alice.credential.certificate, reason="key_compromise")
        ledger.record_intent(reservation=reservation)

    with monkeypatch.context() as patch:
        patch.setattr(signing, "record_intent", overtaken)
        assert alice.sign(token, LEASE).status_code == 503
    assert (states(), asked.count) == (["withdrawn"], 0)
    answer = alice.sign(token, LEASE)
    assert answer.json()["error_description"] == "Signing certificate 'CN=Alice Example' is revoked."
    assert asked.count == 0


def test_the_sweep_leaves_alone_what_was_withdrawn(alice: Signer) -> None:
    alice.sign(alice.approve(LEASE), digest("Other"))
    ActivatedDigest.objects.update(state="reserved", reserved=LONG_AGO)
    suspend_certificate(certificate=alice.credential.certificate)
    resume_certificate(certificate=alice.credential.certificate)
    assert sweep_ledger() == (0, 0)
    assert states() == ["withdrawn"]


def change(certificate: Certificate, *arguments: str) -> None:
    call_command("change_status", certificate.serial_number, *arguments)


def test_somebody_with_a_shell_changes_the_status_and_is_audited(certificate: Certificate) -> None:
    change(certificate, "suspend", "--reason", "Lost phone")
    change(certificate, "resume", "--reason", "Found")
    change(certificate, "revoke", "--code", "superseded", "--reason", "New certificate")
    certificate.refresh_from_db()
    assert (certificate.status, certificate.revocation_reason) == ("revoked", "superseded")
    acts = AuditEvent.objects.filter(action="administer").order_by("sequence")
    assert [(act.subject, act.reason.partition(" ")[2].partition(" ")[2]) for act in acts] == [
        ("console", "suspended: Lost phone"),
        ("console", "resumed: Found"),
        ("console", "revoked (superseded): New certificate"),
    ]
    assert acts.count() == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("revoke", "--reason", "no code"),
        ("revoke", "--code", "certificate_hold", "--reason", "x"),
        ("revoke", "--code", "superseded"),
        ("suspend",),
        ("resume", "--reason", "was never on hold"),
        ("forget", "--reason", "x"),
    ],
)
def test_a_shell_s_mistake_changes_nothing(certificate: Certificate, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        change(certificate, *arguments)
    certificate.refresh_from_db()
    assert certificate.status == "valid"
    with pytest.raises(CommandError, match="no such certificate"):
        call_command("change_status", "ff", "suspend", "--reason", "x")
