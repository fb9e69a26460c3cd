"""Signers' keys: taken by one taker each, opened only while they are somebody's, destroyed for ever."""

import hashlib
import sqlite3
import threading
import time
import uuid
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pkcs11
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings as django_settings
from django.db import IntegrityError, connections, transaction
from pkcs11 import Attribute, KeyType
from pkcs11.exceptions import ObjectHandleInvalid

from rssp.algorithms import KEY_ALGORITHMS, SigningOperation, verify_signature
from rssp.errors import HsmUnavailableError, KeyBindingError, KeyNotFoundError
from rssp.models import AuditEvent, SigningKey
from rssp.services.hsm import get_hsm
from rssp.services.keks import provide_kek
from rssp.services.keys import destroy_key, open_key, take_key
from scripts.instance import Instance
from tests.rssp.conftest import ALIAS, Asked, Signer, digest
from tests.support.softhsm import SPY, Token, count_c_sign, read_calls

LABEL_OF_THE_RUN = django_settings.PKCS11_TOKEN_LABEL

P256 = SigningOperation("ec", "ecdsa", "sha256")
DIGEST = hashlib.sha256(b"agreed").digest()


def sign(key: SigningKey) -> None:
    with open_key(key=key) as signer:
        signature = signer.sign_digest(operation=P256, digest=DIGEST)
    verify_signature(public_key=bytes(key.public_key), operation=P256, digest=DIGEST, signature=signature)


@pytest.fixture(params=["wrapped", "resident"])
def storage(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.KEY_STORAGE = request.param
    return str(request.param)


def put_back(key: SigningKey) -> None:
    SigningKey.objects.filter(pk=key.pk).update(state="pooled", assigned=None)


def test_a_key_is_taken_signs_and_is_destroyed_once_and_for_ever(token: Token, storage: str) -> None:
    key = take_key(key_algorithm="ec-p256")
    assert (key.state, key.one_time, key.assigned is not None) == ("assigned", False, True)
    assert key.storage == storage
    sign(key)
    destroy_key(key=key)
    destroyed = key.destroyed
    destroy_key(key=key)
    assert (key.state, key.destroyed, key.wrapped_key) == ("destroyed", destroyed, None)
    assert bytes(key.key_id) not in get_hsm().list_key_ids()
    with pytest.raises(KeyNotFoundError):
        sign(key)


def test_a_pooled_key_is_taken_before_one_is_made_and_signs_only_then(token: Token, storage: str) -> None:
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
    token: Token, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    settings.KEY_STORAGE = "resident"
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


def test_a_key_that_cannot_be_recorded_is_not_left_in_the_token(token: Token, storage: str) -> None:
    provide_kek()
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
def test_the_database_refuses_a_key_that_is_nowhere_or_in_two_places(
    token: Token, settings: Any, change: dict[str, Any]
) -> None:
    settings.KEY_STORAGE = "resident"
    key = take_key(key_algorithm="ec-p256")
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        SigningKey.objects.filter(pk=key.pk).update(**change)


def test_wrapped_keys_leave_nothing_in_the_token_however_many_there_are(token: Token) -> None:
    provide_kek()
    before = count_objects()
    keys = [take_key(key_algorithm=kind) for kind in ("rsa-2048", "ec-p256", "ec-p384") for _ in range(5)]
    for key in keys[5:10]:
        sign(key)
    assert count_objects() == before
    for key in keys:
        destroy_key(key=key)
    assert count_objects() == before


def count_objects() -> int:
    """Of the token and of every session of this process, at one moment: the library looks at each object that it found,
    and one that is destroyed meanwhile has them counted again."""
    with pkcs11.lib(SPY).get_token(token_label=LABEL_OF_THE_RUN).open() as session:
        while True:
            with suppress(ObjectHandleInvalid):
                return len(list(session.get_objects()))


@pytest.mark.parametrize("kind", list(KEY_ALGORITHMS))
def test_every_kind_of_key_signs_when_it_is_unwrapped(token: Token, kind: str) -> None:
    key = take_key(key_algorithm=kind)
    scheme = ("rsa", "pss", "sha256", 32) if kind.startswith("rsa") else ("ec", "ecdsa", "sha256")
    operation = SigningOperation(*scheme)  # type: ignore[arg-type]
    with open_key(key=key) as signer:
        signature = signer.sign_digest(operation=operation, digest=DIGEST)
    verify_signature(public_key=bytes(key.public_key), operation=operation, digest=DIGEST, signature=signature)


CHANGES: dict[str, dict[str, Any]] = {
    # A value that is a field's name is that field of another key.
    "another key's blob": {"wrapped_key": "wrapped_key", "kek": "kek"},
    "another key's blob and binding": {"wrapped_key": "wrapped_key", "binding": "binding"},
    "another public key": {"public_key": "public_key"},
    "another algorithm": {"key_algorithm": "ec-p384"},
    "a broken blob": {"wrapped_key": bytes(80)},
    "no binding": {"binding": None},
    "a guessed binding": {"binding": bytes(32)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_wrapped_key_in_another_place_is_refused_before_it_is_used(token: Token, change: dict[str, Any]) -> None:
    mine, other = take_key(key_algorithm="ec-p256"), take_key(key_algorithm="ec-p256")
    unwrapped = read_calls().count("C_UnwrapKey")
    SigningKey.objects.filter(pk=mine.pk).update(
        **{name: getattr(other, str(value)) if name == value else value for name, value in change.items()}
    )
    mine.refresh_from_db()
    signed = count_c_sign()
    with pytest.raises(KeyBindingError), open_key(key=mine):
        pass
    assert (count_c_sign(), read_calls().count("C_UnwrapKey")) == (signed, unwrapped)
    sign(other)


def test_a_whole_row_of_another_signer_is_refused_too(alice: Signer, bob: Signer, asked: Asked) -> None:
    lease = digest("Lease")
    approval = alice.approve(lease)
    mine = alice.credential.key
    alice.change(key=bob.credential.key)
    answer = alice.sign(approval, lease)
    assert (answer.status_code, answer.json()["error"], asked.count) == (500, "server_error", 0)
    assert AuditEvent.objects.latest("sequence").result == AuditEvent.Result.TAMPERED
    alice.change(key=mine)
    assert alice.sign(approval, lease).status_code == 200  # nothing was spent


def test_a_key_that_was_put_into_the_pool_is_never_given_out(token: Token, storage: str) -> None:
    pooled = take_key(key_algorithm="ec-p256")
    put_back(pooled)
    theirs = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = theirs.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    SigningKey.objects.filter(pk=pooled.pk).update(public_key=spki)
    taken = take_key(key_algorithm="ec-p256")
    assert taken.pk != pooled.pk
    sign(taken)
    pooled.refresh_from_db()
    assert pooled.state == "destroyed"


def test_an_unwrapped_key_can_neither_be_read_nor_stay(token: Token) -> None:
    key = take_key(key_algorithm="ec-p256")
    with open_key(key=key) as signer:
        raw = signer._handle.raw  # type: ignore[attr-defined]
        for name in ("PRIVATE", "SENSITIVE", "SIGN"):
            assert raw[getattr(Attribute, name)] is True, name
        for name in ("TOKEN", "EXTRACTABLE", "DECRYPT", "UNWRAP", "DERIVE", "SIGN_RECOVER"):
            assert raw[getattr(Attribute, name)] is False, name
        with pytest.raises(pkcs11.AttributeSensitive):
            raw[Attribute.VALUE]
        for name, value in (("EXTRACTABLE", True), ("SENSITIVE", False)):
            with pytest.raises(pkcs11.PKCS11Error):
                raw[getattr(Attribute, name)] = value
    with pytest.raises(pkcs11.ObjectHandleInvalid):
        raw[Attribute.ID]


def test_the_keks_wrap_and_bind_and_do_nothing_else(token: Token) -> None:
    kek = provide_kek()
    assert provide_kek() == kek
    with pkcs11.lib(SPY).get_token(token_label=LABEL_OF_THE_RUN).open() as session:
        found = {item.key_type: item for item in session.get_objects({Attribute.ID: bytes(kek.key_id)})}
        assert set(found) == {KeyType.AES, KeyType.GENERIC_SECRET}
        may = {KeyType.AES: {"WRAP", "UNWRAP"}, KeyType.GENERIC_SECRET: {"SIGN", "VERIFY"}}
        for kind, item in found.items():
            for name in ("TOKEN", "PRIVATE", "SENSITIVE", "NEVER_EXTRACTABLE"):
                assert item[getattr(Attribute, name)] is True, name
            for name in ("EXTRACTABLE", "MODIFIABLE", "DERIVE"):
                assert item[getattr(Attribute, name)] is False, name
            for name in ("WRAP", "UNWRAP", "SIGN", "VERIFY", "ENCRYPT", "DECRYPT"):
                assert item[getattr(Attribute, name)] is (name in may[kind]), name
            with pytest.raises(pkcs11.AttributeSensitive):
                item[Attribute.VALUE]


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_key_is_kept_unwrapped_only_if_the_settings_say_so(token: Token, settings: Any, seconds: int) -> None:
    settings.KEY_CACHE_SECONDS, settings.KEY_CACHE_KEYS = seconds, 2
    keys = [take_key(key_algorithm="ec-p256") for _ in range(3)]
    before, objects = read_calls().count("C_UnwrapKey"), count_objects()
    for _ in range(4):
        sign(keys[0])
    assert read_calls().count("C_UnwrapKey") - before == (1 if seconds else 4)
    for key in keys:
        sign(key)
    assert count_objects() - objects == (2 if seconds else 0)
    SigningKey.objects.filter(pk=keys[2].pk).update(binding=bytes(32))
    keys[2].refresh_from_db()
    with pytest.raises(KeyBindingError):
        sign(keys[2])


def test_a_kept_key_is_destroyed_when_its_time_is_over_even_if_nobody_comes(token: Token, settings: Any) -> None:
    settings.KEY_CACHE_SECONDS = 2
    key, objects = take_key(key_algorithm="ec-p256"), count_objects()
    sign(key)
    assert count_objects() == objects + 1
    deadline = time.monotonic() + 60
    while count_objects() > objects and time.monotonic() < deadline:
        threading.Event().wait(0.1)
    assert count_objects() == objects
    sign(key)


def alter(database: str, *statements: tuple[str, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """By another connection than Django's, which knows the newest columns alone; answers the last one's rows."""
    if database.startswith("postgres"):
        with psycopg.connect(database) as connection:
            for sql, values in statements:
                done = connection.execute(sql.replace("?", "%s").encode(), values)
            return done.fetchall() if done.description else []
    with closing(sqlite3.connect(database)) as file, file:
        for sql, values in statements:
            cursor = file.execute(sql, values)
        return cursor.fetchall()


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
    old.manage("migrate", "rssp", "0006")
    columns = "k.key_id, k.public_key, k.key_algorithm, k.storage, k.state"
    sql = f"SELECT {columns} FROM rssp_signingkey k JOIN rssp_credential c ON c.key_id = k.id"  # noqa: S608  (ours)
    ((found_id, public_key, *words),) = alter(database, (sql, ()))
    assert (bytes(found_id), bytes(public_key)) == (key_id, b"spki")
    assert words == ["rsa-2048", "resident", "assigned"]
