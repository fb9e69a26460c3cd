"""The audit only grows: in Python, in SQLite and in PostgreSQL. What it and the log must not hold."""

import logging
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ConnectionHandler

from config.env import database
from rssp.models import ActivatedDigest, Activation, AppendOnlyError, AuditEvent
from tests.rssp.conftest import ALIAS, Signer, digest

LEASE = digest("Lease")
CHANGES = [
    "UPDATE rssp_auditevent SET result = 'signed'",
    "UPDATE rssp_auditevent SET reason = reason",
    "DELETE FROM rssp_auditevent",
    "DELETE FROM rssp_auditevent WHERE sequence = 1",
]
ADD = (
    "INSERT INTO rssp_auditevent (sequence, happened, action, result, issuer, subject, factors, client_id, "
    "credential_id, activation, hash_algorithm_oid, digest, reason, address, request_id, mac) "
    "VALUES (1, '2026-11-25', 'sign', 'refused', '', '', '', '', '', '', '', '', '', '', '', '')"
)


def refuses(connection: BaseDatabaseWrapper, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_no_entry_is_changed_or_removed_through_the_models() -> None:
    event = AuditEvent.objects.create(action="sign", result="refused")
    event.result = "signed"
    for attempt in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(result="signed"),
        lambda: AuditEvent.objects.bulk_update([event], ["result"]),
    ):
        with pytest.raises(AppendOnlyError), transaction.atomic(using=ALIAS):
            attempt()
    assert AuditEvent.objects.get().result == "refused"


@pytest.mark.parametrize("statement", CHANGES)
def test_no_entry_is_changed_or_removed_in_sqlite(statement: str) -> None:
    connection = connections[ALIAS]
    with connection.cursor() as cursor:
        cursor.execute(ADD)
    refuses(connection, statement)
    assert AuditEvent.objects.get().result == "refused"


@pytest.mark.postgresql
def test_no_entry_is_changed_or_removed_in_postgresql(postgresql_url: str) -> None:
    handler = ConnectionHandler({"default": {}, "rssp": {**database(postgresql_url), "CONN_MAX_AGE": 0}})
    connection = handler["rssp"]
    connection.inc_thread_sharing()
    try:
        executor = MigrationExecutor(connection)
        executor.migrate([node for node in executor.loader.graph.leaf_nodes() if node[0] == "rssp"])
        with connection.cursor() as cursor:
            cursor.execute(ADD)
        for statement in [*CHANGES, "TRUNCATE rssp_auditevent"]:
            refuses(connection, statement)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), min(result) FROM rssp_auditevent")
            assert cursor.fetchone() == (1, "refused")
    finally:
        connection.close()


def test_neither_log_nor_database_holds_a_token_a_label_or_the_pin(
    alice: Signer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service, sad = alice.log_in(), alice.approve(LEASE)
    assert alice.sign(service, LEASE, SAD=sad).status_code == 200
    assert alice.sign(service, LEASE, SAD=sad).status_code == 400
    assert alice.sign(sad, digest("Other")).status_code == 400
    kept = [str(row) for model in (Activation, ActivatedDigest, AuditEvent) for row in model._default_manager.values()]
    client_data = bytes(Activation.objects.get().client_data_json).decode()
    for secret in (service, sad, "Lease.pdf", settings.PKCS11_PIN, settings.RSSP_CLIENT_SECRET):
        assert secret not in caplog.text
        assert not any(secret in row for row in kept)
        assert secret not in client_data
