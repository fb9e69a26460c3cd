"""Keys and signatures in a real SoftHSM token."""

import hashlib
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from rssp.algorithms import (
    HASH_OIDS,
    KEY_ALGORITHMS,
    RSASSA_PSS,
    SigningOperation,
    choose_operation,
    sign_algos,
    verify_signature,
)
from rssp.errors import DigestLengthError, HsmUnavailableError, KeyNotFoundError, SigningFailedError
from tests.rssp.test_algorithms import pss
from tests.support.softhsm import LABEL, MODULE, PIN, SPY, Token, count_c_sign, forget_calls, read_calls, spy_on

P256 = SigningOperation("ec", "ecdsa", "sha256")
DIGEST = hashlib.sha256(b"agreed").digest()


@pytest.fixture
def token(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTHSM2_CONF", "")  # so that it is put back afterwards
    token = Token(tmp_path / "softhsm")
    assert token.prepare()
    return token


@pytest.fixture
def hsm(token):
    return token.open()


@pytest.fixture
def spied(token, var_dir):
    yield token.open(module=spy_on(var_dir / "pkcs11-spy.log"))
    forget_calls()


def make_key(hsm, key_algorithm="ec-p256"):
    key_id = secrets.token_bytes(16)
    return key_id, hsm.generate_key(key_id=key_id, label="a credential", key_algorithm=key_algorithm)


def sign(hsm, key_id, digest=DIGEST, operation=P256) -> bytes:
    with hsm.open_key(key_id=key_id) as signer:
        return signer.sign_digest(operation=operation, digest=digest)


@pytest.mark.parametrize("key_algorithm", KEY_ALGORITHMS)
def test_every_algorithm_and_hash_signs_and_verifies(hsm, key_algorithm):
    key_id, public_key = make_key(hsm, key_algorithm)
    words = [(oid, None, HASH_OIDS["sha384"]) for oid in sign_algos(key_algorithm) if oid != RSASSA_PSS]
    if key_algorithm.startswith("rsa"):
        words += [(RSASSA_PSS, pss(name, salt=salt), None) for name, salt in [("sha256", 32), ("sha512", 64)]]
    for sign_algo, params, hash_oid in words:
        operation = choose_operation(
            key_algorithm=key_algorithm, sign_algo=sign_algo, sign_algo_params=params, hash_algorithm_oid=hash_oid
        )
        digest = hashlib.new(operation.hash_name, b"agreed").digest()
        signature = sign(hsm, key_id, digest, operation)
        verify_signature(public_key=public_key, operation=operation, digest=digest, signature=signature)


@pytest.mark.parametrize("key_algorithm", ["rsa-2048", "ec-p256"])
def test_a_key_signs_and_never_leaves(hsm, key_algorithm):
    key_id, _ = make_key(hsm, key_algorithm)
    session = pkcs11.lib(MODULE).get_token(token_label=LABEL).open()  # the pool's login is the process's
    key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id)
    for attribute in ("TOKEN", "PRIVATE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "SIGN", "LOCAL"):
        assert key[getattr(Attribute, attribute)] is True, attribute
    for attribute in ("EXTRACTABLE", "MODIFIABLE", "DECRYPT", "UNWRAP", "SIGN_RECOVER"):
        assert key[getattr(Attribute, attribute)] is False, attribute
    with pytest.raises(pkcs11.AttributeSensitive):
        key[Attribute.PRIVATE_EXPONENT if key_algorithm == "rsa-2048" else Attribute.VALUE]
    for change in ({Attribute.EXTRACTABLE: True}, {Attribute.SENSITIVE: False}, {Attribute.DECRYPT: True}):
        with pytest.raises(pkcs11.PKCS11Error):
            key[next(iter(change))] = next(iter(change.values()))


def test_an_unknown_key_is_named_as_such_and_one_signature_is_one_c_sign(spied):
    key_id, _ = make_key(spied)
    before = count_c_sign()
    sign(spied, key_id)
    assert count_c_sign() == before + 1
    with pytest.raises(KeyNotFoundError):
        sign(spied, secrets.token_bytes(16))
    with pytest.raises(DigestLengthError):
        sign(spied, key_id, DIGEST[:-1])
    assert count_c_sign() == before + 1


def test_a_destroyed_key_is_gone_and_destroying_it_again_is_no_error(hsm):
    (alice, _), (bob, public_key) = make_key(hsm), make_key(hsm)
    sign(hsm, alice)
    hsm.destroy_key(key_id=alice)
    hsm.destroy_key(key_id=alice)
    assert list(hsm.list_key_ids()) == [bob]
    with pytest.raises(KeyNotFoundError):
        sign(hsm, alice)
    verify_signature(public_key=public_key, operation=P256, digest=DIGEST, signature=sign(hsm, bob))


def test_threads_sign_side_by_side_each_with_its_own_key(hsm):
    keys = [make_key(hsm) for _ in range(3)]
    together = threading.Barrier(6)

    def sign_many(number):
        together.wait()
        for turn in range(100):
            key_id, public_key = keys[(number + turn) % 3]
            digest = hashlib.sha256(bytes([number, turn])).digest()
            verify_signature(public_key=public_key, operation=P256, digest=digest, signature=sign(hsm, key_id, digest))
        return 100

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(sign_many, range(6))) == 600


@pytest.mark.parametrize("strict", [False, True])
def test_every_process_signs_after_a_fork(token, strict):
    if strict:  # the library forgets everything in a child, as many HSMs' do
        with (token.directory / "softhsm2.conf").open("a") as file:
            file.write("library.reset_on_fork = true\n")
    hsm = token.open()
    key_id, public_key = make_key(hsm)
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                for turn in range(25):
                    digest = hashlib.sha256(bytes([number, turn])).digest()
                    signature = sign(hsm, key_id, digest)
                    verify_signature(public_key=public_key, operation=P256, digest=digest, signature=signature)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    verify_signature(public_key=public_key, operation=P256, digest=DIGEST, signature=sign(hsm, key_id))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]


def test_sessions_that_were_closed_behind_our_back_are_opened_again(hsm):
    key_id, _ = make_key(hsm)
    sign(hsm, key_id)
    library = pkcs11.lib(MODULE)
    library.finalize()
    sign(hsm, key_id)
    library = pkcs11.lib(MODULE)
    other = library.get_token(token_label=LABEL).open()
    hsm._pool._connection.owner.close()  # logs all sessions out
    sign(hsm, key_id)
    assert other.handle


def test_a_session_lost_while_a_key_is_open_fails_that_call_alone_and_is_not_tried_again(spied):
    key_id, _ = make_key(spied)
    with spied.open_key(key_id=key_id) as signer:
        pkcs11.lib(SPY).finalize()
        before = read_calls().count("C_SignInit")
        with pytest.raises(SigningFailedError):
            signer.sign_digest(operation=P256, digest=DIGEST)
        assert read_calls().count("C_SignInit") == before + 1
    sign(spied, key_id)


def test_a_token_that_goes_away_is_unavailable_and_comes_back_without_a_restart(token, hsm, monkeypatch):
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.2)
    key_id, public_key = make_key(hsm)
    sign(hsm, key_id)
    token.move_away()
    for _ in range(3):
        with pytest.raises(HsmUnavailableError):
            sign(hsm, key_id)
        with pytest.raises(HsmUnavailableError):
            hsm.verify_available()
        with pytest.raises(HsmUnavailableError):
            make_key(hsm)
    token.bring_back()
    threading.Event().wait(0.3)
    hsm.verify_available()
    verify_signature(public_key=public_key, operation=P256, digest=DIGEST, signature=sign(hsm, key_id))


def test_a_token_that_is_not_there_at_the_start_is_found_later(token, monkeypatch):
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.2)
    token.move_away()
    hsm = token.open()
    with pytest.raises(HsmUnavailableError):
        hsm.verify_available()
    token.bring_back()
    threading.Event().wait(0.3)
    hsm.verify_available()


def test_a_dead_token_is_not_hammered(token, var_dir):
    hsm = token.open(module=spy_on(var_dir / "pkcs11-spy.log"))
    token.move_away()
    for _ in range(50):
        with pytest.raises(HsmUnavailableError):
            hsm.verify_available()
    assert read_calls().count("C_Initialize") <= 4
    forget_calls()


def test_a_missing_module_is_unavailable(token):
    with pytest.raises(HsmUnavailableError):
        token.open(module="/nowhere/libhsm.so").verify_available()


def test_a_wrong_pin_is_tried_once_and_stays_out_of_the_log(token, var_dir, caplog):
    hsm = token.open(pin="000000", module=spy_on(var_dir / "pkcs11-spy.log"))
    before = read_calls().count("C_Login")
    for _ in range(20):
        with pytest.raises(HsmUnavailableError) as refusal:
            hsm.verify_available()
        assert "000000" not in str(refusal.value)
    assert read_calls().count("C_Login") == before + 1
    assert "PKCS11_PIN" in caplog.text
    assert "000000" not in caplog.text
    assert PIN not in caplog.text
    forget_calls()


def test_a_token_is_made_once_by_two_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTHSM2_CONF", "")
    token = Token(tmp_path / "softhsm")
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                os._exit(10 if token.prepare() else 20)
            finally:
                os._exit(1)
        children.append(child)
    assert sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children) == [10, 20]
    assert not token.prepare()
    token.open().verify_available()
