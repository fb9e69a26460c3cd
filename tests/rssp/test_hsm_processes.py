"""Several processes with one real SoftHSM token: each finds, uses and destroys what any of them made."""

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from rssp.hsm.interface import Epoch
from tests.support.softhsm import Token

MADE = 8
PROCESSES = 3


@pytest.fixture
def token(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTHSM2_CONF", "")  # so that it is put back afterwards
    token = Token(tmp_path / "softhsm")
    assert token.prepare()
    return token


@pytest.fixture
def hsm(token):
    return token.open()


def let_another_act(hsm, action):
    """A process that has looked into the token already, until its answer is asked for."""
    asked, told = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            hsm.list_key_ids()
            os.write(told[1], b"ready")
            os.read(asked[0], 1)
            os.write(told[1], action() or b"done")
            os._exit(0)
        finally:
            os._exit(1)
    os.close(asked[0])
    os.close(told[1])
    assert os.read(told[0], 5) == b"ready"

    def ask():
        os.write(asked[1], b"!")
        answer = os.read(told[0], 4096)
        os.close(asked[1])
        os.close(told[0])
        assert os.waitpid(child, 0)[1] == 0
        return answer

    return ask


def make(hsm, key_id, kind):
    if kind == "key":
        hsm.generate_key(key_id=key_id, label="", key_algorithm="ec-p256")
    else:
        hsm.generate_kek(key_id=key_id, label="")


@pytest.mark.parametrize("kind", ["key", "kek"])
def test_what_another_made_before_our_own_change_is_found_and_destroyed(token, hsm, kind):
    theirs, ours = secrets.token_bytes(16), secrets.token_bytes(16)
    ask = let_another_act(hsm, lambda: make(hsm, theirs, kind))
    hsm.list_key_ids()
    ask()
    make(hsm, ours, kind)
    assert set(hsm.list_key_ids()) == {theirs, ours}
    hsm.destroy_key(key_id=theirs)
    assert token.open().list_key_ids() == [ours]


def test_what_another_destroyed_before_our_own_change_is_gone(hsm):
    theirs, ours = secrets.token_bytes(16), secrets.token_bytes(16)
    make(hsm, theirs, "key")
    ask = let_another_act(hsm, lambda: hsm.destroy_key(key_id=theirs))
    hsm.list_key_ids()
    ask()
    make(hsm, ours, "key")
    assert hsm.list_key_ids() == [ours]


def test_a_restore_epoch_that_another_began_before_our_own_change_is_read(hsm):
    hsm.raise_epoch(epoch=Epoch(1, 1_700_000_000))
    ask = let_another_act(hsm, lambda: hsm.raise_epoch(epoch=Epoch(2, 1_800_000_000)))
    assert hsm.read_epoch().number == 1
    ask()
    make(hsm, secrets.token_bytes(16), "key")
    assert hsm.read_epoch() == Epoch(2, 1_800_000_000)


def test_codes_of_several_processes_are_by_one_secret(hsm):
    ask = let_another_act(hsm, lambda: hsm.make_code(data=b"theirs"))
    hsm.list_key_ids()
    code = ask()
    assert hsm.make_code(data=b"theirs") == code
    assert hsm.verify_code(data=b"theirs", code=code)
    assert not hsm.verify_code(data=b"ours", code=code)
    assert len(hsm.list_key_ids()) == 1


def test_processes_that_make_keys_at_once_find_each_others(hsm):
    keys = [[secrets.token_bytes(16) for _ in range(MADE)] for _ in range(PROCESSES)]
    begin, made, look = os.pipe(), os.pipe(), os.pipe()

    def make_and_look(mine):
        os.read(begin[0], 1)
        for key_id in mine:
            make(hsm, key_id, "key")
        os.write(made[1], b"!")
        os.read(look[0], 1)
        return b"all" if set(hsm.list_key_ids()) == {key_id for mine in keys for key_id in mine} else b"some"

    asks = [let_another_act(hsm, lambda mine=mine: make_and_look(mine)) for mine in keys]
    os.write(begin[1], b"!" * PROCESSES)
    answers = ThreadPoolExecutor(PROCESSES).map(lambda ask: ask(), asks)
    for _ in keys:
        os.read(made[0], 1)
    os.write(look[1], b"!" * PROCESSES)
    assert list(answers) == [b"all"] * PROCESSES
