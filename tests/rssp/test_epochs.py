"""A restored database does not know what was used since the backup: a new epoch ends everything from before it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from rssp.activation import LONGEST_SECONDS
from rssp.errors import HsmUnavailableError
from rssp.hsm import epochs
from rssp.hsm.interface import Epoch
from rssp.hsm.pkcs11 import Pkcs11Hsm
from rssp.models import ActivatedDigest, Activation, AuditEvent, Credential, RestoreEpoch
from rssp.services.audit_verification import verify_audit
from rssp.services.epochs import begin_epoch
from rssp.services.hsm import get_hsm
from tests.rssp.conftest import ALIAS, Asked, Signer, digest
from tests.rssp.test_authorising import allow
from tests.rssp.test_deleting import approve, delete
from tests.rssp.test_extending import ask
from tests.rssp.test_tampering import write
from tests.support.softhsm import Token

LEASE, ANNEX = digest("Lease"), digest("Annex")
INVALID = "Invalid parameter SAD"


@pytest.fixture(autouse=True)
def _epoch_of_its_own(token: Token) -> Any:
    """The token is shared by the tests of a run, and an epoch never sinks."""
    yield
    hsm = get_hsm()
    assert isinstance(hsm, Pkcs11Hsm)
    remove_epoch(hsm)


def remove_epoch(hsm: Pkcs11Hsm) -> None:
    hsm._call(lambda session: [item.destroy() for item in epochs._find(session.raw)])


def refused(answer: Any, asked: Asked, before: int = 0, sentence: str = INVALID) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)
    assert asked.count == before


def late(signer: Signer, *digests: bytes) -> str:
    """An approval that lives as long as one may, made now."""
    return signer.approve(*digests, expires_at=int(time.time()) + LONGEST_SECONDS - 5)


def test_the_token_keeps_an_epoch(token: Token) -> None:
    hsm = get_hsm()
    assert hsm.read_epoch() == Epoch(0, 0)
    hsm.raise_epoch(epoch=Epoch(1, 1_800_000_000))
    assert hsm.read_epoch() == Epoch(1, 1_800_000_000)
    other = Pkcs11Hsm(module_path="", token_label="", pin="", lock_path=Path("/dev/null"))
    other._pool = hsm._pool  # type: ignore[attr-defined]  # another object's memory of it
    hsm.raise_epoch(epoch=Epoch(2, 1_800_000_001))
    assert [each.read_epoch() for each in (hsm, other)] == [Epoch(2, 1_800_000_001)] * 2


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_what_was_spent_stays_spent_after_a_restore(alice: Signer, asked: Asked, tmp_path: Path) -> None:
    """The backup is of a moment when the approvals were there and unused; the database is put back as it was."""
    token, unseen = late(alice, LEASE), late(alice, ANNEX)
    assert alice.sign(token, digest("Other")).status_code == 400  # recorded, nothing signed
    assert ActivatedDigest.objects.get().state == "authorised"
    live = connections[ALIAS]
    backup = tmp_path / "backup.sqlite3"
    with closing(sqlite3.connect(backup)) as copy:
        live.ensure_connection()
        live.connection.backup(copy)
    assert alice.sign(token, LEASE).status_code == 200
    assert alice.sign(unseen, ANNEX).status_code == 200
    assert asked.count == 2
    with closing(sqlite3.connect(backup)) as copy:
        copy.backup(live.connection)
    assert ActivatedDigest.objects.get().state == "authorised"  # it does not know
    call_command("begin_epoch")
    refused(alice.sign(token, LEASE), asked, before=2)
    refused(alice.sign(unseen, ANNEX), asked, before=2)  # not in the backup at all
    assert AuditEvent.objects.latest("sequence").result == "replay"
    assert verify_audit()[1] == []
    get_hsm().raise_epoch(epoch=Epoch(2, int(time.time()) - 120))  # two minutes later
    assert alice.sign(late(alice, LEASE), LEASE).status_code == 200
    assert asked.count == 3


def test_a_sad_of_before_is_dead_and_is_not_extended(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE, ANNEX)
    assert alice.sign(alice.log_in(), LEASE, SAD=sad).status_code == 200
    begin_epoch()
    refused(alice.sign(alice.log_in(), ANNEX, SAD=sad), asked, before=1)
    refused(ask(alice, sad), asked, before=1)
    fresh = allow(alice, ANNEX)
    assert alice.sign(alice.log_in(), ANNEX, SAD=fresh).status_code == 200


def test_an_approved_end_of_before_ends_nothing(alice: Signer) -> None:
    approval = approve(alice)
    begin_epoch()
    answer = delete(approval, alice.credential.credential_id)
    assert (answer.status_code, answer.json()["error_description"]) == (400, INVALID)
    alice.credential.refresh_from_db()
    assert alice.credential.status == Credential.Status.ENABLED


def test_an_epoch_written_by_hand_is_found_out(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE)
    begin_epoch()
    write("UPDATE rssp_activation SET epoch = 1")
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), asked)
    assert AuditEvent.objects.latest("sequence").result == "tampered"


def test_an_old_copy_of_the_token_signs_nothing(alice: Signer, asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    sad = allow(alice, LEASE)
    begin_epoch()
    assert RestoreEpoch.objects.get().number == 1
    hsm = get_hsm()
    assert isinstance(hsm, Pkcs11Hsm)
    remove_epoch(hsm)
    for mode, used in (("explicit", sad), ("oauth2code", alice.approve(LEASE))):
        alice.change(auth_mode=mode)
        answer = alice.sign(alice.log_in(), LEASE, SAD=used)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert asked.count == 0
    assert "nothing is signed" in caplog.text
    assert begin_epoch().number == 2  # the way out
    assert Activation.objects.order_by("-epoch")[0].epoch == 0


def test_without_the_token_no_epoch_is_begun(monkeypatch: pytest.MonkeyPatch, token: Token) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise HsmUnavailableError("the token cannot be reached")

    monkeypatch.setattr(Pkcs11Hsm, "raise_epoch", gone)
    with pytest.raises(CommandError, match="must not start"):
        call_command("begin_epoch")
    assert not RestoreEpoch.objects.exists()
