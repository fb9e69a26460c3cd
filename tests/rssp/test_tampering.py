"""Somebody writes to rssp's database: whatever would open a key is refused, audited as tampering and shouted about.

The writer holds approvals and SADs of their own making for what they are entitled to; what they want is more.
"""

import base64
import hashlib
import logging
import secrets
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DatabaseError, connections

from rssp.checks import check_mac_key
from rssp.models import ActivatedDigest, Activation, AuditEvent, Credential, Intent, PasskeyBinding
from rssp.services import macs
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.rssp.test_authorising import allow
from tests.support.authenticator import Authenticator

LEASE, ANNEX, OTHER = digest("Lease"), digest("Annex"), digest("Other")
INVALID = "Invalid parameter SAD"


def write(sql: str, *values: Any) -> None:
    """What the attacker does, past every line of this service."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql.replace("?", "%s"), values)
        assert cursor.rowcount, sql


def found_out(answer: Any, asked: Asked, caplog: pytest.LogCaptureFixture, before: int = 0) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (400, INVALID)
    assert asked.count == before
    assert AuditEvent.objects.latest("sequence").result == "tampered"
    assert any(record.levelno == logging.CRITICAL for record in caplog.records)
    caplog.clear()


def copy_of_the_row(activation: Activation, position: int, value: bytes) -> None:
    write(
        "INSERT INTO rssp_activateddigest (activation_id, position, hash_type, hash_algorithm_oid, digest, state, "
        "signature_sha256) SELECT activation_id, ?, hash_type, hash_algorithm_oid, ?, 'authorised', '' "
        "FROM rssp_activateddigest WHERE activation_id = ? AND position = 0",
        position,
        value.hex(),
        activation.pk,
    )


WIDENED = [
    "UPDATE rssp_activateddigest SET digest = '{other}' WHERE position = 1",
    "UPDATE rssp_activateddigest SET digest = '' WHERE position = 1",
    "UPDATE rssp_activateddigest SET digest = '', hash_algorithm_oid = '' WHERE position = 1",
    "UPDATE rssp_activateddigest SET hash_type = 'sdr' WHERE position = 1",
    "UPDATE rssp_activateddigest SET position = 7 WHERE position = 1",
    "UPDATE rssp_activation SET expires = '2099-01-01 00:00:00'",
    "UPDATE rssp_activation SET created = '2099-01-01 00:00:00'",
    "UPDATE rssp_activation SET num_signatures = 9",
    "UPDATE rssp_activation SET client_id = 'mallory'",
    "UPDATE rssp_activation SET subject = 'mallory'",
    "UPDATE rssp_activation SET issuer = 'https://evil.example'",
    "UPDATE rssp_activation SET factors = 'password, PIN'",
    "UPDATE rssp_activation SET passkey_id = x'00'",
    "UPDATE rssp_activation SET signature = x'00'",
    "UPDATE rssp_activation SET mac = ''",
    "UPDATE rssp_activation SET mac = '1:'",
    "UPDATE rssp_activation SET mac = replace(mac, '1:', '2:')",
]


@pytest.mark.parametrize("change", WIDENED)
def test_an_authorisation_that_was_changed_signs_nothing(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    token = alice.approve(LEASE, ANNEX)
    assert alice.sign(token, LEASE).status_code == 200
    write(change.format(other=OTHER.hex()))
    for sent in (ANNEX, OTHER):
        found_out(alice.sign(token, sent), asked, caplog, before=1)


def test_a_row_that_was_added_or_taken_away_signs_nothing(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    token = alice.approve(LEASE, ANNEX)
    assert alice.sign(token, LEASE).status_code == 200
    write("DELETE FROM rssp_activateddigest WHERE position = 1")
    found_out(alice.sign(token, LEASE), asked, caplog, before=1)
    copy_of_the_row(Activation.objects.get(), 1, ANNEX)  # as it was
    copy_of_the_row(Activation.objects.get(), 2, OTHER)
    found_out(alice.sign(token, OTHER), asked, caplog, before=1)


def test_another_authorisation_s_rows_and_code_are_no_good_here(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = alice.approve(LEASE), alice.approve(ANNEX)
    for token in (first, second):
        assert alice.sign(token, OTHER).status_code == 400  # recorded, nothing signed
    mine, other = Activation.objects.order_by("pk")
    write("UPDATE rssp_activation SET mac = ? WHERE id = ?", other.mac, mine.pk)
    found_out(alice.sign(first, LEASE), asked, caplog)
    write("UPDATE rssp_activation SET mac = ? WHERE id = ?", mine.mac, mine.pk)
    write("UPDATE rssp_activateddigest SET activation_id = ?, position = 1 WHERE digest = ?", mine.pk, ANNEX.hex())
    found_out(alice.sign(first, ANNEX), asked, caplog)


def test_another_credential_is_not_opened_by_moving_the_authorisation(
    alice: Signer, bob: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    sad = allow(bob, LEASE)
    allow(alice, ANNEX)
    write("UPDATE rssp_activation SET credential_id = ? WHERE num_signatures = 1", alice.credential.pk)
    write("UPDATE rssp_activation SET subject = ?", alice.subject)
    found_out(alice.sign(alice.log_in(), LEASE, SAD=sad), asked, caplog)


SPENT = [
    "UPDATE rssp_activateddigest SET state = 'authorised', call = NULL, intended = NULL, finished = NULL",
    "UPDATE rssp_activateddigest SET state = 'authorised'",
]


@pytest.mark.parametrize("change", SPENT)
def test_a_spent_row_is_not_revived(alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture, change: str) -> None:
    token = alice.approve(LEASE)
    assert alice.sign(token, LEASE).status_code == 200
    for _ in range(2):
        write(change)
        found_out(alice.sign(token, LEASE), asked, caplog, before=1)


def test_a_spent_row_is_not_revived_under_another_number(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    """Two rows change their numbers, so that the unspent one takes the blame."""
    token = alice.approve(LEASE, ANNEX)
    assert alice.sign(token, LEASE).status_code == 200
    spent, free = ActivatedDigest.objects.order_by("position").values_list("pk", flat=True)
    for old, new in ((spent, 999), (free, spent), (999, free)):
        write("UPDATE rssp_activateddigest SET id = ? WHERE id = ?", new, old)
    write("UPDATE rssp_activateddigest SET state = 'authorised', call = NULL")
    found_out(alice.sign(token, LEASE), asked, caplog, before=1)
    write("UPDATE rssp_activateddigest SET id = ? WHERE id = ?", 999, spent)
    write("UPDATE rssp_activateddigest SET id = ? WHERE id = ?", spent, free)
    write("UPDATE rssp_activateddigest SET id = ? WHERE id = ?", free, 999)


def test_an_intent_is_there_for_ever(alice: Signer) -> None:
    alice.sign(alice.approve(LEASE), LEASE)
    intent = Intent.objects.get()
    assert (intent.digest, intent.row.digest) == (LEASE.hex(), LEASE.hex())
    for sql in ("DELETE FROM rssp_intent", "UPDATE rssp_intent SET row_id = 0", "UPDATE rssp_intent SET slot = ''"):
        with pytest.raises(DatabaseError, match="append-only"):
            write(sql)


def test_a_passkey_that_was_bound_by_hand_activates_nothing(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    mallory = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    token = alice.approve(LEASE, key=mallory)
    old = PasskeyBinding.objects.get()
    write("UPDATE rssp_passkeybinding SET passkey_id = ?, public_key = ?", mallory.credential_id, mallory.public_key)
    found_out(alice.sign(token, LEASE), asked, caplog)
    old.save()
    genuine = alice.approve(ANNEX)
    PasskeyBinding.objects.create(
        credential=alice.credential, passkey_id=mallory.credential_id, public_key=mallory.public_key, mac=old.mac
    )
    found_out(alice.sign(token, LEASE), asked, caplog)
    assert alice.sign(genuine, ANNEX).status_code == 200


def test_another_credential_s_binding_is_no_good_here(
    alice: Signer, bob: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    token = alice.approve(LEASE, key=bob.key)
    write("UPDATE rssp_passkeybinding SET credential_id = ?", alice.credential.pk)
    found_out(alice.sign(token, LEASE), asked, caplog)


def test_an_unbound_passkey_is_not_bound_again_by_hand(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    binding = PasskeyBinding.objects.get()
    binding.unbound = binding.bound
    macs.authenticate_binding(binding)
    binding.save()
    token = alice.approve(LEASE)
    assert alice.sign(token, LEASE).status_code == 400
    write("UPDATE rssp_passkeybinding SET unbound = NULL")
    found_out(alice.sign(token, LEASE), asked, caplog)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "another's"),
        ("issuer", "https://evil.example"),
        ("scal", "1"),
        ("auth_mode", "explicit"),
        ("multisign", 5000),
        ("mac", ""),
    ],
)
def test_a_credential_whose_facts_were_changed_signs_nothing(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture, field: str, value: Any
) -> None:
    token = alice.approve(LEASE)
    with pytest.raises(Exception, match="changed"):
        macs.verify_credential(changed(alice.credential, field, value))
    if field in {"subject", "issuer"}:
        return  # then it is not even found
    write(f"UPDATE rssp_credential SET {field} = ?", value)  # noqa: S608  (ours)
    found_out(alice.sign(token, LEASE), asked, caplog)


def changed(credential: Credential, field: str, value: Any) -> Credential:
    copy = Credential.objects.get(pk=credential.pk)
    setattr(copy, field, value)
    return copy


def test_somebody_else_s_key_behind_one_s_own_credential_signs_nothing(
    alice: Signer, bob: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    victim, mine = bob.credential, alice.credential
    write("UPDATE rssp_credential SET key_id = ? WHERE id = ?", victim.key_id, mine.pk)
    found_out(alice.sign(alice.approve(LEASE), LEASE), asked, caplog)
    write("UPDATE rssp_credential SET key_id = ? WHERE id = ?", mine.key_id, mine.pk)
    write("UPDATE rssp_signingkey SET key_id = ? WHERE id = ?", bytes(16), mine.key_id)
    found_out(alice.sign(alice.approve(LEASE), LEASE), asked, caplog)
    write("UPDATE rssp_credential SET subject = ? WHERE id = ?", alice.subject, victim.pk)
    alice.credential = victim
    found_out(alice.sign(alice.approve(LEASE, key=alice.key), LEASE), asked, caplog)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rssp_extension SET expires = '2099-01-01 00:00:00'",
        "UPDATE rssp_extension SET first_position = 0",
        "UPDATE rssp_extension SET first_position = 2",
        "UPDATE rssp_extension SET number = 3",
        "UPDATE rssp_activateddigest SET digest = '{other}' WHERE position = 1",
        "UPDATE rssp_activation SET num_signatures = 9",
    ],
)
def test_an_extension_that_was_changed_opens_nothing(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    sad = allow(alice, LEASE, num_signatures=3)
    body = {"credentialID": alice.credential.credential_id, "SAD": sad, "hashes": [encoded(ANNEX)]}
    sad = call("credentials/extendTransaction", body, alice.log_in()).json()["SAD"]
    write(change.format(other=OTHER.hex()))
    for sent in (LEASE, ANNEX, OTHER):
        found_out(alice.sign(alice.log_in(), sent, SAD=sad), asked, caplog)
    answer = call("credentials/extendTransaction", body | {"SAD": sad}, alice.log_in())
    found_out(answer, asked, caplog)


def test_a_sad_that_was_written_by_hand_opens_nothing(
    alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    allow(alice, LEASE)
    forged = secrets.token_urlsafe(32)
    write("UPDATE rssp_activation SET sad_checksum = ?", hashlib.sha256(forged.encode()).hexdigest())
    found_out(alice.sign(alice.log_in(), LEASE, SAD=forged), asked, caplog)


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


# --- Keys of the codes --------------------------------------------------------------------------------------------


def test_a_new_key_in_front_makes_and_an_old_one_still_verifies(alice: Signer, settings: Any) -> None:
    token = alice.approve(LEASE, ANNEX)
    assert alice.sign(token, LEASE).status_code == 200
    settings.LEDGER_MAC_KEY = [f"2:{'n' * 40}", *settings.LEDGER_MAC_KEY]
    assert alice.sign(token, ANNEX).status_code == 200
    assert alice.sign(alice.approve(OTHER), OTHER).status_code == 200
    assert {mac.partition(":")[0] for mac in Activation.objects.values_list("mac", flat=True)} == {"1", "2"}
    settings.LEDGER_MAC_KEY = settings.LEDGER_MAC_KEY[:1]  # the credential's code is the old key's
    assert alice.sign(alice.approve(LEASE), LEASE).json()["error_description"] == INVALID


def test_another_key_of_the_same_version_verifies_nothing(alice: Signer, settings: Any, asked: Asked) -> None:
    settings.LEDGER_MAC_KEY = [f"1:{'n' * 40}"]
    assert alice.sign(alice.approve(LEASE), LEASE).json()["error_description"] == INVALID
    assert asked.count == 0


def test_no_two_lists_of_facts_have_one_code() -> None:
    lists: Sequence[Sequence[Any]] = [
        *(["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["abc", None], [b"abc"], [1], ["1"], [b"1"], [11], [1, 1]),
        *([], [""], [None], [b""], [0]),
    ]
    codes = {macs.make_mac("kind", facts) for facts in lists} | {macs.make_mac("other kind", [])}
    assert len(codes) == len(lists) + 1
    for code in ("", ":", "1", "1:", "0:" + "0" * 64, macs.make_mac("kind", ["abc"])[:-1]):
        assert not macs.is_mac(code, "kind", ["abc"])


@pytest.mark.parametrize(
    ("listed", "weak"),
    [
        (["1:" + "abcdefgh" * 4], False),
        (["2:" + "abcdefgh" * 4, "1:" + "hgfedcba" * 4], False),
        (["1:" + "abcdefgh" * 4, "1:" + "hgfedcba" * 4], True),
        (["abcdefgh" * 4], True),
        (["1:short"], True),
        (["1:" + "a" * 40], True),
        ([""], True),
        ([":" + "abcdefgh" * 4], True),
    ],
)
def test_a_weak_key_is_named_by_the_checks(settings: Any, listed: list[str], weak: bool) -> None:
    settings.LEDGER_MAC_KEY = listed
    assert [message.id for message in check_mac_key()] == (["rssp.E050"] if weak else [])
