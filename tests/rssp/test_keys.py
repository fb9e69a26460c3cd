"""Signers' keys: taken by one taker each, opened only while they are somebody's, destroyed for ever."""

import hashlib
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connections, transaction

from rssp.algorithms import SigningOperation, verify_signature
from rssp.errors import HsmUnavailableError, KeyNotFoundError
from rssp.models import SigningKey
from rssp.services.hsm import get_hsm
from rssp.services.keys import destroy_key, open_key, take_key
from scripts.instance import Instance
from tests.rssp.conftest import ALIAS
from tests.support.softhsm import Token

P256 = SigningOperation("ec", "ecdsa", "sha256")
DIGEST = hashlib.sha256(b"agreed").digest()


def sign(key: SigningKey) -> None:
    with open_key(key=key) as signer:
        signature = signer.sign_digest(operation=P256, digest=DIGEST)
    verify_signature(public_key=bytes(key.public_key), operation=P256, digest=DIGEST, signature=signature)


def put_back(key: SigningKey) -> None:
    SigningKey.objects.filter(pk=key.pk).update(state="pooled", assigned=None)


def test_a_key_is_taken_signs_and_is_destroyed_once_and_for_ever(token: Token) -> None:
    key = take_key(key_algorithm="ec-p256")
    assert (key.state, key.one_time, key.assigned is not None) == ("assigned", False, True)
    sign(key)
    destroy_key(key=key)
    destroyed = key.destroyed
    destroy_key(key=key)
    assert (key.state, key.destroyed) == ("destroyed", destroyed)
    assert bytes(key.key_id) not in get_hsm().list_key_ids()
    with pytest.raises(KeyNotFoundError):
        sign(key)


def test_a_pooled_key_is_taken_before_one_is_made_and_signs_only_then(token: Token) -> None:
    pooled = take_key(key_algorithm="ec-p256")
    put_back(pooled)
    pooled.refresh_from_db()
    with pytest.raises(KeyNotFoundError):
        sign(pooled)
    assert take_key(key_algorithm="ec-p384").pk != pooled.pk
    taken = take_key(key_algorithm="ec-p256", one_time=True)
    assert (taken.pk, taken.one_time) == (pooled.pk, True)
    sign(taken)
    assert take_key(key_algorithm="ec-p256").pk != pooled.pk


def test_a_token_that_is_gone_gives_no_key_and_keeps_the_one_that_was_to_be_destroyed(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    key = take_key(key_algorithm="ec-p256")
    token.move_away()
    try:
        with pytest.raises(HsmUnavailableError):
            take_key(key_algorithm="ec-p256")
        with pytest.raises(HsmUnavailableError):
            destroy_key(key=key)
    finally:
        token.bring_back()
    assert [row.state for row in SigningKey.objects.all()] == ["assigned"]
    sign(key)


def test_a_key_that_cannot_be_recorded_is_not_left_in_the_token(token: Token) -> None:
    before = set(get_hsm().list_key_ids())
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full BEFORE INSERT ON rssp_signingkey BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    with pytest.raises(IntegrityError):
        take_key(key_algorithm="ec-p256")
    assert set(get_hsm().list_key_ids()) == before


@pytest.mark.parametrize(
    "change",
    [{"storage": "wrapped"}, {"wrapped_key": b"blob"}, {"storage": "wrapped", "wrapped_key": b"blob"}],
    ids=["wrapped without a blob", "resident with one", "a blob that nothing opens"],
)
def test_the_database_refuses_a_key_that_is_nowhere_or_in_two_places(token: Token, change: dict[str, Any]) -> None:
    key = take_key(key_algorithm="ec-p256")
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        SigningKey.objects.filter(pk=key.pk).update(**change)


def alter(database: str, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """By another connection than Django's, which knows the newest columns alone."""
    if database.startswith("postgres"):
        with psycopg.connect(database) as connection:
            for sql, values in statements:
                connection.execute(sql.replace("?", "%s").encode(), values)
    else:
        with sqlite3.connect(database) as file:
            for sql, values in statements:
                file.execute(sql, values)
        file.close()


@pytest.mark.instance
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_keys_of_older_credentials_move_to_a_table_of_their_own(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue("postgresql_url") if engine == "postgresql" else ""
    old = Instance(tmp_path, 1, "rssp", {"DATABASE_URL_RSSP": address} if address else {})
    old.manage("migrate", "rssp", "0004")
    key_id = uuid.uuid4().bytes
    day, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    if not address:
        day, later = str(day), str(later)  # type: ignore[assignment]  # as Django writes them there
    certificate = (
        "INSERT INTO rssp_certificate (id, serial_number, role, profile, state, status, revocation_reason, subject,"
        " not_before, not_after, der, created) VALUES (1, '1', 'signer', 'p', 'issued', 'valid', '', 'CN=Alice',"
        " ?, ?, ?, ?)"
    )
    credential = (
        "INSERT INTO rssp_credential (credential_id, issuer, subject, key_algorithm, hsm_key_id, public_key,"
        " certificate_policy, description, status, scal, auth_mode, multisign, created, certificate_id) VALUES"
        " ('alice', 'i', 's', 'rsa-2048', ?, ?, 'p', 'd', 'enabled', '2', 'oauth2code', 1000, ?, 1)"
    )
    database = address or str(tmp_path / "rssp.sqlite3")
    alter(database, (certificate, (day, later, b"", day)), (credential, (key_id, b"spki", day)))
    old.manage("migrate")
    question = (
        "from rssp.models import SigningKey as K; key = K.objects.get(credentials__credential_id='alice'); "
        "print(bytes(key.key_id).hex(), bytes(key.public_key), key.key_algorithm, key.storage, key.state, key.assigned)"
    )
    shown = old.manage("shell", "--no-imports", "-c", question, capture=True)
    assert shown.strip() == f"{key_id.hex()} b'spki' rsa-2048 resident assigned 2026-01-01 00:00:00+00:00"
