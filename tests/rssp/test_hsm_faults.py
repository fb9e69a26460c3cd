"""Faults of the HSM, by the names of the yardsticks: F1 (gone), F2 (wrong PIN), F3 (lost under a batch), F4 (fork),
A16 (what a key may do), and the bounds of the session pool. Real SoftHSM throughout.

Beside these: tests/rssp/test_hsm.py has F1 to F4 for resident keys at the door itself, tests/flows/test_hsm_gone.py has
F1 over HTTP with a whole instance, and tests/rssp/test_keys.py has A16 for wrapped keys and those that wrap them.
"""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from django.conf import settings as django_settings
from django.test import Client

from rssp.algorithms import SigningOperation, WrappedKey, verify_signature
from rssp.errors import HsmUnavailableError, SigningFailedError
from rssp.hsm.pkcs11 import Pkcs11Hsm
from rssp.models import ActivatedDigest, AuditEvent, SigningKey
from rssp.services import health
from rssp.services.keys import take_key
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.support.softhsm import MODULE, SPY, Token, forget_calls, read_calls, spy_on

P256 = SigningOperation("ec", "ecdsa", "sha256")
DIGEST = hashlib.sha256(b"agreed").digest()
LEASE = digest("Lease")


@pytest.fixture(params=[False, True], ids=["", "reset_on_fork"])
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Token:
    """A token of this test's own; with ``reset_on_fork`` the library forgets all in a child, as many HSMs' do."""
    monkeypatch.setenv("SOFTHSM2_CONF", "")
    token = Token(tmp_path / "softhsm")
    assert token.prepare()
    if request.param:
        with (token.directory / "softhsm2.conf").open("a") as file:
            file.write("library.reset_on_fork = true\n")
    return token


def make_wrapped(hsm: Pkcs11Hsm) -> WrappedKey:
    kek_id = secrets.token_bytes(16)
    hsm.generate_kek(key_id=kek_id, label="kek")
    return hsm.generate_wrapped_key(kek_id=kek_id, key_id=secrets.token_bytes(16), key_algorithm="ec-p256")


def sign(hsm: Pkcs11Hsm, key: WrappedKey, content: bytes = DIGEST) -> None:
    with hsm.open_wrapped_key(key=key) as signer:
        signature = signer.sign_digest(operation=P256, digest=content)
    verify_signature(public_key=key.public_key, operation=P256, digest=content, signature=signature)


@pytest.fixture(autouse=True)
def _look_anew(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HEALTH_SECONDS = 0
    monkeypatch.setattr("rssp.services.health._memory", health._Memory())
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)


def ask_health() -> tuple[int, dict[str, str]]:
    answer = Client().get("/csc/healthz")
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


WELL = (200, {"status": "ok", "hsm": "available", "test_signature": "verified"})
GONE = (503, {"status": "failing", "hsm": "unavailable", "test_signature": "not made"})


# --- F1: gone, and back without a restart ---------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["wrapped", "resident"])
def test_f1_a_token_that_is_gone_spends_nothing_and_signs_when_it_is_back(
    token: Token, settings: Any, remote: Any, storage: str
) -> None:
    settings.KEY_STORAGE = storage
    alice = Signer(remote)
    alice.own_credential()
    asked = Asked()
    approval = alice.approve(LEASE)
    token.move_away()
    try:
        assert ask_health() == GONE
        assert call("info", {}).status_code == 200
        answer = alice.sign(approval, LEASE)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert int(answer["Retry-After"]) > 0
        assert (asked.count, ActivatedDigest.objects.exclude(state="authorised").count()) == (0, 0)
    finally:
        token.bring_back()
    begin = time.monotonic()
    assert alice.sign(approval, LEASE).status_code == 200
    assert ask_health() == WELL
    assert time.monotonic() - begin < 30


def test_f1_a_library_that_is_not_there_is_degraded_and_not_broken(settings: Any) -> None:
    settings.PKCS11_MODULE = "/nowhere/libhsm.so"
    assert ask_health() == GONE
    assert call("info", {}).status_code == 200


# --- F2: the wrong PIN ----------------------------------------------------------------------------------------------


def test_f2_a_wrong_pin_is_tried_once_whoever_asks_and_is_in_no_answer(
    token: Token, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PKCS11_PIN = "910235"
    before = read_calls().count("C_Login")
    for _ in range(5):
        assert ask_health() == GONE
        with pytest.raises(HsmUnavailableError) as refusal:
            take_key(key_algorithm="ec-p256")
        assert "910235" not in str(refusal.value)
    assert read_calls().count("C_Login") == before + 1
    assert "correct it and restart" in caplog.text
    assert "910235" not in caplog.text


# --- F3: lost under a batch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["wrapped", "resident"])
def test_f3_a_session_lost_in_the_middle_of_twenty_digests_gives_nothing_and_repeats_nothing(
    token: Token, settings: Any, remote: Any, monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    settings.KEY_STORAGE = storage
    alice = Signer(remote)
    alice.own_credential()
    asked = Asked()
    many = [digest(f"Lease {number}") for number in range(20)]
    approval = alice.approve(*many)
    given = iter(range(20))
    real = verify_signature

    def lose_at_the_seventh(**what: Any) -> None:
        real(**what)
        if next(given) == 6:
            pkcs11.lib(SPY).finalize()

    with monkeypatch.context() as patch:
        patch.setattr("rssp.services.signing.verify_signature", lose_at_the_seventh)
        answer = alice.sign(approval, *many)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "signatures" not in answer.json()
    assert asked.count <= 8  # seven, and the one that found the session gone
    states = [row.state for row in ActivatedDigest.objects.order_by("position")]
    # What was signed is recorded as such, and spent, though its signature was handed to nobody.
    assert states[:8] == ["signed"] * 7 + ["unknown"]
    assert "signed" not in states[8:]
    results = list(AuditEvent.objects.filter(action="sign").values_list("result", flat=True))
    assert (results.count("signed"), results.count("outcome unknown")) == (7, 1)
    signed = asked.count
    assert alice.sign(approval, many[0]).status_code == 400
    assert asked.count == signed
    other = digest("Annex")
    assert alice.sign(alice.approve(other), other).status_code == 200


def test_f3_sessions_closed_behind_our_back_are_opened_again_and_kept_keys_are_forgotten(own: Token) -> None:
    hsm = Pkcs11Hsm(
        module_path=MODULE,
        token_label="test",
        pin="482913",
        lock_path=own.directory / "login.lock",
        cache_seconds=600,
    )
    key = make_wrapped(hsm)
    sign(hsm, key)
    pkcs11.lib(MODULE).finalize()
    sign(hsm, key)
    assert hsm._pool._connection is not None
    hsm._pool._connection.owner.close()  # logs all sessions out
    sign(hsm, key)


# --- F4: fork -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache_seconds", [0, 600])
def test_f4_a_hundred_signatures_over_four_forked_processes_all_verify(own: Token, cache_seconds: int) -> None:
    hsm = Pkcs11Hsm(
        module_path=MODULE,
        token_label="test",
        pin="482913",
        lock_path=own.directory / "login.lock",
        cache_seconds=cache_seconds,
    )
    key = make_wrapped(hsm)
    sign(hsm, key)
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                for turn in range(25):
                    sign(hsm, key, hashlib.sha256(bytes([number, turn])).digest())
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    sign(hsm, key)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    sign(hsm, key)


# --- A16: no private key outside the token ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
def test_a16_no_private_key_is_in_a_row_a_log_or_a_file(
    token: Token, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """PKCS #8 and the curve's or RSA's object identifier stand in the clear in every unwrapped key."""
    caplog.set_level("DEBUG")
    key = take_key(key_algorithm=kind)
    marks = {"ec-p256": bytes.fromhex("06082a8648ce3d030107"), "rsa-2048": bytes.fromhex("06092a864886f70d010101")}
    kept = SigningKey.objects.filter(pk=key.pk).values("wrapped_key", "binding", "key_id").get()
    assert all(marks[kind] not in bytes(value) for value in kept.values())
    assert len(bytes(kept["wrapped_key"])) % 8 == 0
    assert bytes(kept["wrapped_key"]).hex() not in caplog.text
    label = django_settings.PKCS11_TOKEN_LABEL
    with pkcs11.lib(SPY).get_token(token_label=label).open() as session:
        ids = {bytes(item[pkcs11.Attribute.ID]) for item in session.get_objects()}
    assert bytes(key.key_id) not in ids


# --- The pool's bounds ----------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, var_dir: Path
) -> Iterator[Pkcs11Hsm]:
    """Two sessions; who finds none waits a moment, or the seconds that a test says."""
    monkeypatch.setenv("SOFTHSM2_CONF", "")
    own = Token(tmp_path / "softhsm")
    assert own.prepare()
    spy = spy_on(var_dir / "pkcs11-spy.log")
    lock = own.directory / "login.lock"
    wait = getattr(request, "param", 0.3)
    yield Pkcs11Hsm(
        module_path=spy, token_label="test", pin="482913", lock_path=lock, max_sessions=2, wait_seconds=wait
    )
    forget_calls()


def test_no_more_sessions_are_open_than_may_be_and_whoever_finds_none_is_told(narrow: Pkcs11Hsm) -> None:
    key = make_wrapped(narrow)
    with narrow.open_wrapped_key(key=key), narrow.open_wrapped_key(key=key):
        begin = time.monotonic()
        with pytest.raises(HsmUnavailableError, match="in use"):
            sign(narrow, key)
        assert 0.2 < time.monotonic() - begin < 30
    sign(narrow, key)


@pytest.mark.parametrize("narrow", [60.0], indirect=True)
def test_whoever_waits_gets_the_session_that_comes_back(narrow: Pkcs11Hsm) -> None:
    key = make_wrapped(narrow)
    together = threading.Barrier(8)
    before = read_calls().count("C_OpenSession")

    def sign_some(_number: int) -> int:
        together.wait()
        for _ in range(10):
            sign(narrow, key)
        return 10

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(sign_some, range(8))) == 80
    assert read_calls().count("C_OpenSession") - before <= 2


# --- Health -----------------------------------------------------------------------------------------------------------


def test_health_is_cheap_for_the_token_however_many_ask(token: Token, settings: Any) -> None:
    settings.HEALTH_SECONDS = 60
    before = read_calls().count("C_GenerateKeyPair")
    assert [ask_health() for _ in range(20)] == [WELL] * 20
    assert read_calls().count("C_GenerateKeyPair") == before + 1


def test_health_uses_no_signer_s_key_and_leaves_nothing(alice: Signer, settings: Any) -> None:
    before = read_calls()
    assert ask_health() == WELL
    done = read_calls()[len(before) :]
    assert "C_UnwrapKey" not in done
    assert (done.count("C_GenerateKeyPair"), done.count("C_DestroyObject")) == (1, 2)
    settings.HEALTH_TEST_SIGNATURE = False
    before = read_calls()
    assert ask_health() == (200, {"status": "ok", "hsm": "available", "test_signature": "not made"})
    assert "C_GenerateKeyPair" not in read_calls()[len(before) :]


def test_health_fails_when_a_signature_does_not_verify(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(**_what: Any) -> None:
        raise SigningFailedError("it does not verify")

    monkeypatch.setattr("rssp.hsm.pkcs11.verify_signature", wrong)
    assert ask_health() == (503, {"status": "failing", "hsm": "available", "test_signature": "failed"})


def test_health_is_a_get_and_tells_nothing_of_the_installation(token: Token) -> None:
    assert Client().post("/csc/healthz").status_code == 405
    told = Client().get("/csc/healthz").content.decode()
    for secret in (django_settings.PKCS11_PIN, django_settings.PKCS11_TOKEN_LABEL, MODULE, "softhsm"):
        assert secret not in told
