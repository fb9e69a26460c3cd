"""The ledger when things go wrong between two commits: nothing is signed twice, nothing unrecorded leaves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pkcs11
import pytest
from django.db import connections, transaction

from rssp.errors import ReservationLostError
from rssp.hsm.interface import Epoch
from rssp.hsm.pkcs11 import _KeyOnLoan
from rssp.models import ActivatedDigest, Activation, AuditEvent
from rssp.services import ledger, signing
from rssp.services.sweeping import sweep_ledger
from tests.rssp.conftest import ALIAS, Asked, Signer, digest
from tests.rssp.remote import Remote
from tests.support.softhsm import SPY, Token

LEASE, ANNEX = digest("Lease"), digest("Annex")
SPENT = "Hash is not authorized by the SAD."
LONG_AGO = "2026-01-01T00:00:00Z"


def states() -> list[str]:
    return list(ActivatedDigest.objects.order_by("pk").values_list("state", flat=True))


def results() -> list[str]:
    return list(AuditEvent.objects.order_by("sequence").values_list("result", flat=True))


def failed(answer: Any) -> None:
    """A typed error that promises nothing and holds no signature."""
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert set(answer.json()) == {"error", "error_description", "request_id"}
    assert "Retry-After" not in answer


@contextmanager
def refusing(condition: str) -> Iterator[None]:
    """The database refuses a write, as a full disk or a lost connection would."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER full BEFORE {condition} BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        try:
            yield
        finally:
            cursor.execute("DROP TRIGGER full")


def test_the_sweep_releases_reservations_and_closes_intents(alice: Signer) -> None:
    alice.sign(alice.approve(LEASE, ANNEX), digest("Other"))
    first, second = ActivatedDigest.objects.order_by("position")
    ActivatedDigest.objects.filter(pk=first.pk).update(state="reserved", reserved=LONG_AGO)
    ActivatedDigest.objects.filter(pk=second.pk).update(state="intended", reserved=LONG_AGO, intended=LONG_AGO)
    assert sweep_ledger() == (1, 1)
    assert states() == ["authorised", "unknown"]
    assert sweep_ledger() == (0, 0)


def test_the_sweep_leaves_alone_what_is_young_or_finished(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE, ANNEX)
    alice.sign(token, LEASE)
    ActivatedDigest.objects.filter(state="signed").update(reserved=LONG_AGO, intended=LONG_AGO)
    ActivatedDigest.objects.filter(state="authorised").update(state="intended", intended="2100-01-01T00:00:00Z")
    assert sweep_ledger() == (0, 0)
    assert states() == ["signed", "intended"]
    assert alice.sign(token, ANNEX).json()["error_description"] == SPENT
    assert asked.count == 1


def test_a_process_that_sleeps_past_its_reservation_signs_nothing_and_costs_nothing(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = alice.approve(LEASE)

    def too_late(*, reservation: ledger.Reservation) -> None:
        ActivatedDigest.objects.update(reserved=LONG_AGO)
        assert sweep_ledger() == (1, 0)
        ledger.record_intent(reservation=reservation)

    with monkeypatch.context() as patch:
        patch.setattr(signing, "record_intent", too_late)
        answer = alice.sign(token, LEASE)
    assert (answer.status_code, answer["Retry-After"], asked.count) == (503, "5", 0)
    assert alice.sign(token, LEASE).status_code == 200
    assert asked.count == 1


def test_a_late_process_does_not_take_back_what_another_call_reserved_meanwhile(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = alice.approve(LEASE)
    others: list[int] = []

    def overtaken(*, reservation: ledger.Reservation) -> None:
        ActivatedDigest.objects.update(reserved=LONG_AGO)
        sweep_ledger()
        monkeypatch.setattr(signing, "record_intent", ledger.record_intent)
        others.append(alice.sign(token, LEASE).status_code)
        with pytest.raises(ReservationLostError):
            ledger.record_intent(reservation=reservation)
        ledger.record_intent(reservation=reservation)

    monkeypatch.setattr(signing, "record_intent", overtaken)
    assert alice.sign(token, LEASE).status_code == 503
    assert (others, asked.count, states()) == ([200], 1, ["signed"])


def test_a_signature_that_comes_after_the_sweep_never_leaves(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = alice.approve(LEASE)
    real = _KeyOnLoan.sign_digest

    def slow(self: Any, **what: Any) -> bytes:
        signature = real(self, **what)
        ActivatedDigest.objects.update(intended=LONG_AGO)
        assert sweep_ledger() == (0, 1)
        return signature

    with monkeypatch.context() as patch:
        patch.setattr(_KeyOnLoan, "sign_digest", slow)
        failed(alice.sign(token, LEASE))
    assert (states(), asked.count) == (["unknown"], 1)
    assert alice.sign(token, LEASE).json()["error_description"] == SPENT
    assert asked.count == 1


def test_a_session_lost_in_the_middle_of_a_batch_gives_no_signature_and_signs_none_twice(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [digest(str(number)) for number in range(20)]
    token = alice.approve(*batch)
    real, calls = _KeyOnLoan.sign_digest, []

    def lose_the_seventh(self: Any, **what: Any) -> bytes:
        calls.append(what)
        if len(calls) == 7:
            pkcs11.lib(SPY).finalize()  # every session of the process is gone
        return real(self, **what)

    with monkeypatch.context() as patch:
        patch.setattr(_KeyOnLoan, "sign_digest", lose_the_seventh)
        failed(alice.sign(token, *batch))
    assert asked.count == 6
    assert states() == ["signed"] * 6 + ["unknown"] * 14
    assert results() == ["signed"] * 6 + ["outcome unknown"] + ["not asked"] * 13
    for each in batch:
        assert alice.sign(token, each).json()["error_description"] == SPENT
    assert asked.count == 6
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200  # the next call connects again


@pytest.mark.parametrize(
    "condition",
    [
        "UPDATE ON rssp_activateddigest WHEN NEW.state = 'signed'",
        "INSERT ON rssp_auditevent WHEN NEW.result = 'signed'",
    ],
)
def test_a_signature_that_cannot_be_recorded_never_leaves_and_is_never_made_again(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture, condition: str
) -> None:
    token = alice.approve(LEASE, ANNEX)
    with refusing(condition):
        failed(alice.sign(token, LEASE))
        assert asked.count == 1
        assert "made and not recorded" in caplog.text
        assert alice.sign(token, LEASE).json()["error_description"] == SPENT
    assert sorted(states()) == ["authorised", "intended"]
    ActivatedDigest.objects.filter(state="intended").update(intended=LONG_AGO)
    assert sweep_ledger() == (0, 1)
    assert AuditEvent.objects.latest("sequence").reason == "an intent without a result"
    assert alice.sign(token, LEASE).json()["error_description"] == SPENT
    assert asked.count == 1
    assert alice.sign(token, ANNEX).status_code == 200


@pytest.mark.parametrize(
    "condition",
    [
        "INSERT ON rssp_activation",
        "INSERT ON rssp_activateddigest",
        "UPDATE ON rssp_activateddigest WHEN NEW.state = 'reserved'",
        "UPDATE ON rssp_activateddigest WHEN NEW.state = 'intended'",
    ],
)
def test_what_cannot_be_recorded_beforehand_is_not_signed(alice: Signer, asked: Asked, condition: str) -> None:
    token = alice.approve(LEASE)
    with refusing(condition):
        answer = alice.sign(token, LEASE)
    assert (answer.status_code, asked.count) == (500, 0)
    if "intended" in condition:
        ActivatedDigest.objects.update(reserved=LONG_AGO)
        assert sweep_ledger() == (1, 0)
    assert alice.sign(token, LEASE).status_code == 200
    assert asked.count == 1


def test_no_step_of_the_ledger_runs_inside_somebody_s_transaction(alice: Signer, asked: Asked) -> None:
    """Else the HSM would be asked before the intent is kept."""
    alice.sign(alice.approve(LEASE, ANNEX), LEASE)
    activation = Activation.objects.get()
    oid = ActivatedDigest.objects.values_list("hash_algorithm_oid", flat=True)[0]
    wanted: dict[str, Any] = {"activation": activation, "sad_checksum": activation.sad_checksum, "epoch": Epoch(0, 0)}
    wanted |= {"hash_algorithm_oid": oid, "digests": [ANNEX]}
    with transaction.atomic(using=ALIAS), pytest.raises(RuntimeError, match="durable"):
        ledger.reserve_digests(**wanted)
    reservation = ledger.reserve_digests(**wanted)
    with transaction.atomic(using=ALIAS), pytest.raises(RuntimeError, match="durable"):
        ledger.record_intent(reservation=reservation)
    with transaction.atomic(using=ALIAS):
        answer = alice.sign(alice.approve(LEASE), LEASE)
    assert (answer.status_code, asked.count) == (500, 1)


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_the_intent_is_committed_when_the_hsm_is_asked(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = _KeyOnLoan.sign_digest, []

    def look() -> None:
        seen.append((states(), asked.count))
        connections.close_all()

    def sign_digest(self: Any, **what: Any) -> bytes:
        other = threading.Thread(target=look)  # with a database connection of its own
        other.start()
        other.join()
        return real(self, **what)

    monkeypatch.setattr(_KeyOnLoan, "sign_digest", sign_digest)
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    assert seen == [(["intended"], 0)]


def test_two_approvals_under_one_nonce_are_not_mixed(alice: Signer, asked: Asked) -> None:
    """A lying authorization server has Alice approve twice under one nonce, with two keys, behind one token."""
    first = alice.credential
    nonce = b"n" * 32
    token = alice.approve(LEASE, nonce=nonce)
    assert alice.sign(token, digest("Other")).status_code == 400  # recorded, nothing signed
    alice.own_credential()
    before = asked.count
    alice.remote.tokens[token] = alice.remote.tokens[alice.approve(ANNEX, nonce=nonce)]
    for sent in (LEASE, ANNEX):
        assert alice.sign(token, sent).json()["error_description"] == "Invalid parameter SAD"
    assert asked.count == before
    assert Activation.objects.get().credential == first


def test_an_approval_of_more_than_multisign_is_refused(alice: Signer, asked: Asked) -> None:
    alice.change(multisign=1)
    token = alice.approve(LEASE, ANNEX)
    assert alice.sign(token, LEASE).json()["error_description"] == "Invalid parameter SAD"
    assert asked.count == 0
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200


def test_calls_together_get_no_more_than_the_approval_holds(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE, LEASE, ANNEX)
    assert alice.sign(token, LEASE).status_code == 200
    assert alice.sign(token, LEASE, LEASE).json()["error_description"] == SPENT
    assert asked.count == 1  # all or none
    assert alice.sign(token, ANNEX, LEASE).status_code == 200
    for each in (LEASE, ANNEX):
        assert alice.sign(token, each).json()["error_description"] == SPENT
    assert asked.count == 3


def test_a_token_that_goes_away_costs_nothing_and_comes_back_without_a_restart(
    alice: Signer, remote: Remote, token: Token, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    approved = alice.approve(LEASE)
    token.move_away()
    try:
        for _ in range(2):
            answer = alice.sign(approved, LEASE)
            assert (answer.status_code, answer["Retry-After"]) == (503, "5")
            assert answer.json()["error"] == "temporarily_unavailable"
    finally:
        token.bring_back()
    assert (states(), asked.count) == ([], 0)
    assert results() == ["unavailable"] * 2
    assert alice.sign(approved, LEASE).status_code == 200
    assert asked.count == 1
