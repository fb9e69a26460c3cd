"""Somebody with the database writes to the audit: `manage.py verify_audit` names the first place."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from rssp.models import ActivatedDigest, AuditCheckpoint, AuditEvent
from rssp.services import audit_checkpoints, auditing, signing
from rssp.services.audit_checkpoints import make_checkpoint
from rssp.services.audit_verification import Finding, verify_audit
from rssp.services.auditing import record_events
from rssp.services.sweeping import sweep_ledger
from tests.rssp.conftest import ALIAS, Signer, digest
from tests.rssp.test_tampering import write

LEASE, ANNEX, OTHER = digest("Lease"), digest("Annex"), digest("Other")
FIRST = import_module("rssp.migrations.0002_audit_append_only")
OTHERS = import_module("rssp.migrations._append_only")


@pytest.fixture
def owner(db: None) -> Iterator[None]:
    """Whoever owns the tables drops the triggers first."""
    tables = ("rssp_auditcheckpoint", "rssp_intent")
    opened = [*FIRST.SQLITE_REVERSE, *(each for table in tables for each in OTHERS.sqlite_reverse(table))]
    closed = [*FIRST.SQLITE, *(each for table in tables for each in OTHERS.sqlite(table))]
    for statement in opened:
        connections[ALIAS].cursor().execute(statement)
    yield
    for statement in closed:
        connections[ALIAS].cursor().execute(statement)


def record(*reasons: str) -> list[int]:
    """Entries of this thread's chain; their sequences."""
    with transaction.atomic(using=ALIAS):
        record_events(AuditEvent(action="administer", result="done", reason=reason) for reason in reasons)
    return list(AuditEvent.objects.filter(reason__in=reasons).order_by("sequence").values_list("sequence", flat=True))


def first() -> Finding:
    with pytest.raises(CommandError, match="findings; the first at entry"):
        call_command("verify_audit")
    return verify_audit()[1][0]


def test_what_was_written_verifies(alice: Signer, capsys: pytest.CaptureFixture[str]) -> None:
    token = alice.approve(LEASE, ANNEX)
    alice.sign(token, LEASE, ANNEX)
    alice.sign(token, LEASE)
    assert make_checkpoint() is not None
    record("a", "b")
    assert make_checkpoint() is not None
    assert make_checkpoint() is None  # nothing happened since
    assert [point.number for point in AuditCheckpoint.objects.order_by("number")] == [1, 2]
    call_command("verify_audit")
    assert "5 entries, all as they were written." in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'x'",
        "happened = '2020-01-01 00:00:00'",
        "action = 'sign'",
        "result = 'refused'",
        "issuer = 'x'",
        "subject = 'x'",
        "factors = 'x'",
        "client_id = 'x'",
        "credential_id = 'x'",
        "activation = 'x'",
        "hash_algorithm_oid = 'x'",
        "digest = 'x'",
        "address = 'x'",
        "request_id = 'x'",
        "call = '00000000000000000000000000000000'",
        "mac = ''",
        "mac = (SELECT mac FROM rssp_auditevent WHERE reason = 'a')",
    ],
)
@pytest.mark.usefixtures("owner")
def test_a_changed_entry_is_named(change: str) -> None:
    _, changed, _ = record("a", "b", "c")
    write(f"UPDATE rssp_auditevent SET {change} WHERE sequence = ?", changed)  # noqa: S608  (ours)
    assert first() == Finding(changed, "this entry was changed, inserted or put in another one's place")


@pytest.mark.usefixtures("owner")
def test_a_deleted_entry_is_named_by_the_one_after_it() -> None:
    a, b, c = record("a", "b", "c")
    write("DELETE FROM rssp_auditevent WHERE sequence = ?", b)
    assert first() == Finding(c, "1 entries before this one were deleted")
    write("DELETE FROM rssp_auditevent WHERE sequence = ?", a)
    assert first() == Finding(c, "2 entries before this one were deleted")


@pytest.mark.usefixtures("owner")
def test_entries_deleted_at_the_end_or_altogether_are_named_by_the_checkpoint() -> None:
    _, b, c = record("a", "b", "c")
    make_checkpoint()
    write("DELETE FROM rssp_auditevent WHERE sequence = ?", c)
    assert first().sequence == c
    assert "deleted with what stood behind it" in first().what
    write("DELETE FROM rssp_auditevent WHERE sequence < ?", c)
    assert first().sequence == c
    assert b < c


@pytest.mark.usefixtures("owner")
def test_an_entry_deleted_and_written_again_is_not_the_one_that_the_checkpoint_saw() -> None:
    _, b = record("a", "b")
    make_checkpoint()
    write("DELETE FROM rssp_auditevent WHERE sequence = ?", b)
    record("another")  # by the service itself, which takes the free number
    assert "is not the one that checkpoint 1 saw" in first().what


@pytest.mark.usefixtures("owner")
def test_entries_that_changed_places_are_named() -> None:
    a, b, c = record("a", "b", "c")
    for old, new in ((a, 9999), (b, a), (9999, b)):
        write("UPDATE rssp_auditevent SET sequence = ? WHERE sequence = ?", new, old)
    assert first() == Finding(a, "the order of entries was changed here")
    for old, new in ((a, 9999), (b, a), (9999, b)):
        write("UPDATE rssp_auditevent SET sequence = ? WHERE sequence = ?", new, old)
    for old, new in ((0, -1), (1, 0), (-1, 1)):
        write("UPDATE rssp_auditevent SET number = ? WHERE number = ?", new, old)
    assert first().sequence == a
    assert c > b


@pytest.mark.usefixtures("owner")
def test_an_inserted_entry_is_named() -> None:
    a, b = record("a", "b")
    columns = (
        "happened, action, result, issuer, subject, factors, client_id, credential_id, activation, call, "
        "hash_algorithm_oid, digest, reason, address, request_id, mac"
    )
    copy = f"INSERT INTO rssp_auditevent ({columns}, chain, number) SELECT {columns}, chain, 2 FROM rssp_auditevent "  # noqa: S608  (ours)
    write(copy + "WHERE sequence = ?", b)
    inserted = AuditEvent.objects.latest("sequence").sequence
    assert first() == Finding(inserted, "this entry was changed, inserted or put in another one's place")
    write("DELETE FROM rssp_auditevent WHERE sequence = ?", inserted)
    write(copy.replace("chain, 2", "NULL, NULL") + "WHERE sequence = ?", a)
    inserted = AuditEvent.objects.latest("sequence").sequence
    assert first() == Finding(inserted, "an entry that this service did not write was inserted")


@pytest.mark.usefixtures("owner")
def test_a_checkpoint_that_is_missing_or_was_changed_is_named() -> None:
    record("a")
    make_checkpoint()
    record("b")
    make_checkpoint()
    write("UPDATE rssp_auditcheckpoint SET heads = '[]' WHERE number = 2")
    assert first().what == "checkpoint 2 was changed"
    write("DELETE FROM rssp_auditcheckpoint WHERE number = 1")
    assert first().what == "checkpoint 1 was deleted"


@pytest.mark.usefixtures("owner")
def test_a_signature_s_entry_and_its_intent_vouch_for_each_other(alice: Signer) -> None:
    """Without any checkpoint, and at the end of the chain."""
    alice.sign(alice.approve(LEASE), LEASE)
    signed = AuditEvent.objects.latest("sequence").sequence
    kept = AuditEvent.objects.filter(sequence=signed).values().get()
    write("DELETE FROM rssp_auditevent WHERE sequence = ?", signed)
    assert "was deleted: its intent is there" in first().what
    AuditEvent(**kept).save(force_insert=True)
    assert verify_audit()[1] == []
    write("DELETE FROM rssp_intent")
    assert first() == Finding(signed, f"call {kept['call']} has an entry and no intent")


def test_what_the_sweep_closed_is_accounted_for(alice: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(signing, "_use_key", die)
    with pytest.raises(KeyboardInterrupt):
        alice.sign(alice.approve(LEASE), LEASE)
    assert verify_audit()[1] == []  # the intent is open
    ActivatedDigest.objects.update(intended="2026-01-01T00:00:00Z")
    assert sweep_ledger() == (0, 1)
    assert verify_audit()[1] == []
    assert AuditEvent.objects.latest("sequence").digest == LEASE.hex()


def test_a_rolled_back_entry_leaves_no_gap() -> None:
    record("a")
    with transaction.atomic(using=ALIAS):
        record_events([AuditEvent(action="administer", result="done", reason="lost")])
        transaction.set_rollback(True, using=ALIAS)
    record("b")
    assert verify_audit() == (2, [])


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_threads_do_not_wait_for_one_another_and_each_has_a_chain() -> None:
    barrier = Barrier(8)

    def run(thread: int) -> None:
        barrier.wait()
        for number in range(5):
            record(f"{thread}.{number}")
        connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(8)))
    assert verify_audit() == (40, [])
    assert AuditEvent.objects.values("chain").distinct().count() == 8


def test_a_child_process_has_a_chain_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = auditing._own_chain()
    assert auditing._own_chain() == before
    monkeypatch.setattr(auditing.os, "getpid", lambda: 1)
    assert auditing._own_chain() != before


def test_of_two_processes_that_write_a_checkpoint_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    record("a")
    real = audit_checkpoints.checkpoint_facts

    def overtaken(*what: Any) -> Any:
        monkeypatch.setattr(audit_checkpoints, "checkpoint_facts", real)
        assert make_checkpoint() is not None
        return real(*what)

    monkeypatch.setattr(audit_checkpoints, "checkpoint_facts", overtaken)
    assert make_checkpoint() is None
    assert AuditCheckpoint.objects.count() == 1
    assert verify_audit()[1] == []
