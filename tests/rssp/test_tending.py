"""The pool is filled at the bell's ring alone, and keys for one use are destroyed when they were used or ran out."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.signing import TimestampSigner
from django.test import Client
from django.utils import timezone

from rssp.errors import BellRefusedError, HsmError
from rssp.models import Certificate, SigningKey
from rssp.services import one_time
from rssp.services.keys import take_key
from rssp.services.tending import ring_for_tending, tend_keys
from rssp.tasks import tend_keys as task
from tests.rssp.conftest import Signer, digest
from tests.support.softhsm import Token

LEASE, ANNEX = digest("Lease"), digest("Annex")
POOL = {"ec-p256": 3, "ec-p384": 1}


def proof(*, salt: str = "rssp.tend_keys", word: str = "tend", key: str | None = None) -> str:
    return TimestampSigner(key=key, salt=salt).sign(word)


def ring(authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client(enforce_csrf_checks=True).post("/rssp/tend-keys", headers=headers)


def pooled() -> list[str]:
    return sorted(SigningKey.objects.filter(state="pooled").values_list("key_algorithm", flat=True))


def test_a_ring_fills_the_pool_and_a_second_one_changes_nothing(token: Token, settings: Any) -> None:
    settings.KEY_POOL = POOL
    answer = ring(f"Bell {proof()}")
    assert (answer.status_code, answer.json()) == (200, {"made": 4, "destroyed": 0})
    assert pooled() == ["ec-p256"] * 3 + ["ec-p384"]
    assert ring(f"Bell {proof()}").json()["made"] == 0
    take_key(key_algorithm="ec-p256")
    assert ring(f"Bell {proof()}").json()["made"] == 1


def test_a_ring_without_this_installation_s_proof_does_nothing(token: Token, settings: Any) -> None:
    settings.KEY_POOL = POOL
    mine = proof()
    strangers = [
        *(None, "", "Bell", "Bell ", f"Bearer {mine}", mine, f"Bell {mine}x", f"Bell {mine[:-1]}", "Bell \u00e9"),
        f"Bell {proof(key='another installation')}",
        f"Bell {proof(salt='something else')}",
        f"Bell {proof(word='untend')}",
    ]
    for authorization in strangers:
        answer = ring(authorization)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied"), authorization
    assert Client().get("/rssp/tend-keys").status_code == 405
    assert pooled() == []


def test_an_old_proof_rings_no_more(token: Token, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.KEY_POOL = POOL
    old = proof()
    monkeypatch.setattr("rssp.services.tending._PROOF_SECONDS", -1)
    assert ring(f"Bell {old}").status_code == 403
    assert pooled() == []


def test_the_task_itself_makes_nothing_and_survives_that_nobody_answers(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RSSP_URL = "http://127.0.0.1:1"
    settings.CLIENT_TRANSPORT = "tests.rssp.test_tending.over_the_network"
    monkeypatch.setattr("rssp.services.hsm._hsm", lambda **_settings: pytest.fail("a worker opened the token"))
    with pytest.raises(BellRefusedError):
        ring_for_tending()
    task()
    assert "nobody looked after the keys" in caplog.text


def over_the_network(_address: str) -> None:
    return None


def test_a_token_that_is_gone_fills_nothing_and_takes_nothing(
    token: Token, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    settings.KEY_POOL = POOL
    token.move_away()
    try:
        assert ring(f"Bell {proof()}").status_code == 503
    finally:
        token.bring_back()
    assert pooled() == []
    assert tend_keys() == (4, 0)


@pytest.fixture
def once(alice: Signer) -> Signer:
    """Alice's key is for one use."""
    SigningKey.objects.filter(credentials=alice.credential).update(one_time=True)
    return alice


def key_of(signer: Signer) -> SigningKey:
    return SigningKey.objects.get(credentials=signer.credential)


def test_a_key_for_one_use_signs_one_call_and_is_destroyed(once: Signer) -> None:
    approval = once.approve(LEASE, ANNEX)
    assert once.sign(approval, LEASE).status_code == 200
    assert (key_of(once).state, key_of(once).wrapped_key) == ("destroyed", None)
    answer = once.sign(approval, ANNEX)
    assert answer.status_code == 400
    assert answer.json()["error_description"] == "The credential identified by credentialID is disabled"


def test_a_refused_call_does_not_cost_the_key(once: Signer, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    approval = once.approve(LEASE)
    assert once.sign(approval, ANNEX).status_code == 400
    token.move_away()
    try:
        assert once.sign(approval, LEASE).status_code == 503
    finally:
        token.bring_back()
    assert key_of(once).state == "assigned"
    assert once.sign(approval, LEASE).status_code == 200


def test_what_the_signature_could_not_destroy_the_next_ring_does(once: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_what: Any) -> None:
        raise HsmError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(one_time, "destroy_key", fails)
        assert once.sign(once.approve(LEASE), LEASE).status_code == 200
    assert key_of(once).state == "assigned"
    assert tend_keys()[1] == 1
    assert key_of(once).state == "destroyed"


def test_a_key_for_one_use_goes_with_its_certificate_and_others_stay(once: Signer, bob: Signer) -> None:
    assert tend_keys()[1] == 0
    Certificate.objects.filter(role="signer").update(not_after=timezone.now() - timedelta(seconds=1))
    assert tend_keys()[1] == 1
    assert (key_of(once).state, key_of(bob).state) == ("destroyed", "assigned")
