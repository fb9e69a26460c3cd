"""Rotation of the key-encryption key: every key signs before, while and after; what breaks off goes on later."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pkcs11 import Attribute

from rssp.errors import HsmUnavailableError, KeyBindingError, KeyNotFoundError
from rssp.models import AuditEvent, KeyEncryptionKey, SigningKey
from rssp.services import keys, rotating
from rssp.services.hsm import get_hsm
from rssp.services.keks import KekRetiredError, lock_kek, provide_kek, replace_kek
from rssp.services.keys import destroy_key, read_wrapped_key, take_key
from rssp.services.rotating import rotate_kek
from scripts.instance import ROOT
from tests.rssp.test_keys import DIGEST, P256, sign
from tests.support.softhsm import MODULE, Token


def fresh(key: SigningKey) -> SigningKey:
    return SigningKey.objects.select_related("kek").get(pk=key.pk)


def states() -> list[str]:
    return sorted(KeyEncryptionKey.objects.values_list("state", flat=True))


def test_every_key_signs_after_a_rotation_and_the_old_kek_is_gone(token: Token, capsys: Any) -> None:
    made = [take_key(key_algorithm="ec-p256") for _ in range(3)]
    destroy_key(key=made[2])
    old = provide_kek()
    call_command("rotate_kek", "--batch", "1")
    assert capsys.readouterr().out == "rotated: 2 keys wrapped again\nold keys destroyed: 1\n"
    old.refresh_from_db()
    assert old.state == "destroyed"
    assert bytes(old.key_id) not in get_hsm().list_key_ids()
    active = provide_kek()
    assert bytes(active.key_id) in get_hsm().list_key_ids()
    for key in made[:2]:
        before = bytes(key.wrapped_key or b"")
        after = fresh(key)
        assert (after.kek, after.state) == (active, "assigned")
        assert bytes(after.wrapped_key or b"") != before
        sign(after)
    assert "KEK rotated: 2 keys" in AuditEvent.objects.latest("sequence").reason


def test_a_row_that_was_read_before_the_rotation_signs_after_it(token: Token) -> None:
    key = fresh(take_key(key_algorithm="ec-p256"))
    rotate_kek()
    sign(key)


def test_an_interrupted_rotation_goes_on_and_makes_no_third_kek(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [take_key(key_algorithm="ec-p256") for _ in range(4)]
    left = iter([True, True])

    def breaks_off(**what: Any) -> bool:
        if not next(left, False):
            raise HsmUnavailableError("the token is gone")
        return keys.rewrap_key(**what)

    with monkeypatch.context() as patch:
        patch.setattr(rotating, "rewrap_key", breaks_off)
        with pytest.raises(CommandError, match="goes on where it was"):
            call_command("rotate_kek")
    assert states() == ["active", "retired"]
    for key in made:
        sign(fresh(key))
    done = rotate_kek()
    assert (done.begun, done.rewrapped, done.destroyed) == (False, 2, 1)
    assert states() == ["active", "destroyed"]
    for key in made:
        sign(fresh(key))


def test_a_key_that_is_made_while_the_kek_is_replaced_is_made_again_by_the_new_one(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = provide_kek()

    def answers() -> Iterator[KeyEncryptionKey]:
        replace_kek()
        yield old
        yield provide_kek()

    given = answers()
    monkeypatch.setattr(keys, "provide_kek", lambda: next(given))
    key = take_key(key_algorithm="ec-p256")
    assert key.kek == provide_kek() != old
    sign(key)


def test_a_kek_that_still_wraps_is_never_destroyed(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    key = take_key(key_algorithm="ec-p256")
    monkeypatch.setattr(rotating, "_batches", lambda _size: iter(()))
    assert rotate_kek().destroyed == 0
    assert fresh(key).kek != provide_kek()
    sign(fresh(key))


def test_a_changed_blob_stops_the_rotation_and_is_not_wrapped_again(token: Token) -> None:
    key, other = take_key(key_algorithm="ec-p256"), take_key(key_algorithm="ec-p256")
    SigningKey.objects.filter(pk=key.pk).update(wrapped_key=other.wrapped_key)
    with pytest.raises(KeyBindingError):
        rotate_kek()
    assert fresh(key).kek != provide_kek()
    sign(fresh(other))


def test_a_key_that_is_destroyed_meanwhile_does_not_come_back(token: Token) -> None:
    key = fresh(take_key(key_algorithm="ec-p256"))
    destroy_key(key=fresh(key))
    assert not keys.rewrap_key(key=key, kek=replace_kek())
    assert fresh(key).wrapped_key is None


def test_the_token_destroys_a_kek_whose_destruction_failed_before(token: Token) -> None:
    old = provide_kek()
    KeyEncryptionKey.objects.filter(pk=old.pk).update(state="destroyed")
    rotate_kek()
    assert bytes(old.key_id) not in get_hsm().list_key_ids()


def test_threads_sign_while_their_key_is_wrapped_again(token: Token) -> None:
    """Without the database, which a test's threads do not share; tests/flows/test_rotation.py has the whole of it."""
    key = fresh(take_key(key_algorithm="ec-p256"))
    assert key.kek is not None
    hsm, wrapped, new = get_hsm(), read_wrapped_key(key, key.kek), replace_kek()
    over, begun = threading.Event(), threading.Barrier(4)

    def sign_on() -> int:
        count = 0
        begun.wait(60)
        while not over.is_set() or not count:
            with hsm.open_wrapped_key(key=wrapped) as signer:
                signer.sign_digest(operation=P256, digest=DIGEST)
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        signing = [pool.submit(sign_on) for _ in range(3)]
        begun.wait(60)
        again = [hsm.rewrap_key(key=wrapped, kek_id=bytes(new.key_id)) for _ in range(20)]
        over.set()
        assert min(done.result() for done in signing) > 0
    with hsm.open_wrapped_key(key=again[-1]) as signer:
        signer.sign_digest(operation=P256, digest=DIGEST)


def test_nobody_saves_a_key_under_a_retired_kek(token: Token) -> None:
    old = provide_kek()
    replace_kek()
    with pytest.raises(KekRetiredError):
        lock_kek(old)


def test_a_remembered_handle_that_became_another_kek_s_is_looked_for_again(token: Token) -> None:
    """Handles are numbers, and a module may give one out again."""
    key = fresh(take_key(key_algorithm="ec-p256"))
    assert key.kek is not None
    old, new, hsm = key.kek, replace_kek(), get_hsm()
    other = fresh(take_key(key_algorithm="ec-p256"))
    sign(key)
    sign(other)
    [session] = hsm._pool._idle  # type: ignore[attr-defined]
    for kind in ("AES", "GENERIC_SECRET"):
        mine, not_mine = (kind, bytes(old.key_id)), (kind, bytes(new.key_id))
        session.handles[mine] = session.handles[not_mine]
        sign(key)
        assert session.handles[mine].raw[Attribute.ID] == bytes(old.key_id)
    assert hsm._pool._idle == [session], "no connection was given up for it"  # type: ignore[attr-defined]


def test_a_kek_that_another_process_destroyed_is_missing_and_costs_no_connection(token: Token, settings: Any) -> None:
    key = fresh(take_key(key_algorithm="ec-p256"))
    assert key.kek is not None
    sign(key)
    hsm, wrapped = get_hsm(), read_wrapped_key(key, key.kek)
    connection = hsm._pool._connection  # type: ignore[attr-defined]
    destroy = (
        "import sys; from pathlib import Path; from rssp.hsm.pkcs11 import Pkcs11Hsm; module, label, pin, lock, key ="
        " sys.argv[1:]; Pkcs11Hsm(module_path=module, token_label=label, pin=pin, lock_path=Path(lock)).destroy_key("
        "key_id=bytes.fromhex(key))"
    )
    where = (MODULE, settings.PKCS11_TOKEN_LABEL, settings.PKCS11_PIN, str(settings.VAR_DIR / "hsm.lock"))
    subprocess.run([sys.executable, "-c", destroy, *where, bytes(key.kek.key_id).hex()], cwd=ROOT, check=True)
    with pytest.raises(KeyNotFoundError), hsm.open_wrapped_key(key=wrapped):
        pass
    assert hsm._pool._connection is connection  # type: ignore[attr-defined]
