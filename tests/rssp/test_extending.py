"""extendTransaction: one SAD lives at a time, what is counted stays counted, and hashes fill what was left open."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from rssp.error_responses import INVALID_REQUEST
from rssp.errors import ActivationReplayedError
from rssp.models import ActivatedDigest, AuditEvent, Extension
from rssp.services import signing
from rssp.services.authorising import authorise
from rssp.services.extending import extend
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.rssp.test_authorising import NOT_AUTHORISED, ORIGIN, allow, bearer_of

LEASE, ANNEX, OTHER = digest("Lease"), digest("Annex"), digest("Other")
INVALID = "Invalid parameter SAD"
METHOD = "credentials/extendTransaction"
both_versions = pytest.mark.parametrize("version", [1, 2])


def ask(signer: Signer, sad: str, *digests: bytes, version: int = 2, bearer: str = "", **members: Any) -> Any:
    body: dict[str, Any] = {"credentialID": signer.credential.credential_id, "SAD": sad}
    if digests:
        body[{1: "hash", 2: "hashes"}[version]] = [base64.b64encode(item).decode() for item in digests]
    return call(METHOD, body | members, bearer or signer.log_in(), version=version)


def extended(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert set(answer.json()) == {"SAD", "expiresIn"}
    assert 290 <= answer.json()["expiresIn"] <= 300
    return str(answer.json()["SAD"])


def refused(answer: Any, sentence: str) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)


@both_versions
def test_the_hashes_of_an_extension_take_the_open_slots(alice: Signer, asked: Asked, version: int) -> None:
    sad, service = allow(alice, LEASE, num_signatures=3), alice.log_in()
    assert alice.sign(service, LEASE, SAD=sad, version=version).status_code == 200
    refused(ask(alice, sad, version=version), "Missing (or invalid type) array parameter hash")
    second = extended(ask(alice, sad, ANNEX, version=version))
    refused(alice.sign(service, OTHER, SAD=second, version=version), NOT_AUTHORISED)
    assert alice.sign(service, ANNEX, SAD=second, version=version).status_code == 200
    third = extended(ask(alice, second, OTHER, version=version))
    refused(ask(alice, third, OTHER, version=version), "Numbers of signatures is too high")
    fourth = extended(ask(alice, third, version=version))  # nothing is open: the life alone is extended
    assert alice.sign(service, OTHER, SAD=fourth, version=version).status_code == 200
    for each in (LEASE, ANNEX, OTHER):
        refused(alice.sign(service, each, SAD=fourth, version=version), NOT_AUTHORISED)
    assert asked.count == 3
    assert len({sad, second, third, fourth}) == 4


def test_the_old_sad_is_dead_at_once(alice: Signer, asked: Asked) -> None:
    sad = allow(alice, LEASE, ANNEX)
    fresh = extended(ask(alice, sad))
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), INVALID)
    refused(ask(alice, sad), INVALID)
    assert list(AuditEvent.objects.filter(action__in=["sign", "extend"]).values_list("action", "result")) == [
        ("extend", "done"),
        ("sign", "replay"),
        ("extend", "replay"),
    ]
    assert asked.count == 0
    assert alice.sign(alice.log_in(), LEASE, SAD=fresh).status_code == 200


def test_a_call_that_began_with_the_old_sad_reserves_nothing(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    sad = allow(alice, LEASE)
    real = signing.reserve_digests

    def overtaken(**what: Any) -> Any:
        extended(ask(alice, sad))
        return real(**what)

    monkeypatch.setattr(signing, "reserve_digests", overtaken)
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), INVALID)
    assert asked.count == 0


def test_the_count_is_not_begun_anew(alice: Signer, asked: Asked) -> None:
    sad, service = allow(alice, scal="1", num_signatures=2), alice.log_in()
    assert alice.sign(service, LEASE, SAD=sad).status_code == 200
    for _ in range(3):
        sad = extended(ask(alice, sad, ANNEX))
    refused(alice.sign(service, LEASE, ANNEX, SAD=sad), NOT_AUTHORISED)
    assert alice.sign(service, ANNEX, SAD=sad).status_code == 200
    sad = extended(ask(alice, sad))
    refused(alice.sign(service, OTHER, SAD=sad), NOT_AUTHORISED)
    assert asked.count == 2
    assert ActivatedDigest.objects.count() == 2


def test_too_many_hashes_extend_nothing(alice: Signer) -> None:
    sad = allow(alice, LEASE, num_signatures=2)
    refused(ask(alice, sad, ANNEX, OTHER), "Numbers of signatures is too high")
    refused(ask(alice, sad, hashes=[]), "Empty hash array")
    refused(ask(alice, sad, hashes=["@"]), "Invalid Base64 hash string parameter")
    refused(ask(alice, sad, hashes="AAAA"), "Missing (or invalid type) array parameter hash")
    refused(ask(alice, sad, bytes(48), hashAlgorithmOID="2.16.840.1.101.3.4.2.1"), "Invalid digest value length")
    refused(ask(alice, sad, ANNEX, hashAlgorithmOID="1.3.14.3.2.26"), "Invalid parameter hashAlgorithmOID")
    assert not Extension.objects.exists()
    extended(ask(alice, sad, ANNEX))


def test_an_expired_sad_is_not_extended(alice: Signer) -> None:
    refused(ask(alice, allow(alice, LEASE, lifetime=timedelta(seconds=-1))), "SAD expired")
    assert not Extension.objects.exists()


def test_an_extended_sad_ends_too_and_no_authorisation_lives_for_ever(
    alice: Signer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first, began = timezone.now, allow(alice, LEASE), timezone.now()

    def after(minutes: float) -> None:
        moment = began + timedelta(minutes=minutes)
        monkeypatch.setattr(timezone, "now", lambda: moment)

    after(4)
    sad = ask(alice, first).json()["SAD"]
    after(8.9)
    assert alice.sign(alice.log_in(), ANNEX, SAD=sad).json()["error_description"] == NOT_AUTHORISED  # and not too late
    after(9.1)
    refused(alice.sign(alice.log_in(), LEASE, SAD=sad), "SAD expired")
    refused(ask(alice, sad), "SAD expired")
    monkeypatch.setattr(timezone, "now", real)
    sad, began = allow(alice, LEASE), timezone.now()
    for number in range(1, 16):
        after(number * 4)
        answer = ask(alice, sad)
        assert (answer.status_code == 200) == (number < 15), number
        sad = answer.json().get("SAD")
    assert asked.count == 0


def test_a_sad_is_extended_for_its_own_user_client_and_credential(alice: Signer, bob: Signer) -> None:
    sad = allow(alice, LEASE)
    allow(bob, ANNEX)
    refused(ask(bob, sad), INVALID)
    refused(ask(alice, sad, bearer=alice.log_in(client_id="mallory")), INVALID)
    refused(ask(alice, sad, bearer=bob.log_in()), "Invalid parameter credentialID")
    refused(ask(alice, sad, credentialID="unknown"), "Invalid parameter credentialID")
    refused(ask(alice, "forged"), INVALID)
    extended(ask(alice, sad))


@both_versions
def test_an_access_token_is_no_sad_to_extend(alice: Signer, asked: Asked, version: int) -> None:
    token = alice.approve(LEASE)
    refused(ask(alice, token, LEASE, version=version), INVALID)
    assert ask(alice, token, LEASE, bearer=token, version=version).status_code == 403
    assert alice.sign(alice.log_in(), LEASE, SAD=token, version=version).status_code == 200  # and lives on
    refused(ask(alice, token, LEASE, version=version), INVALID)
    assert asked.count == 1


def test_a_closed_credential_extends_nothing(alice: Signer) -> None:
    sad = allow(alice, LEASE)
    alice.credential.status = "disabled"
    alice.credential.save()
    refused(ask(alice, sad), "The credential identified by credentialID is disabled")


def test_the_header_has_the_method_s_own_sentence_in_version_1() -> None:
    sentences = {1: INVALID_REQUEST.replace("required", "REQUIRED"), 2: "Malformed authorization header."}
    for version, sentence in sentences.items():
        refused(Client().post(f"/csc/v{version}/{METHOD}", "{}", "application/json"), sentence)
    for version in (1, 2):
        refused(call(METHOD, {"credentialID": 1}, version=version), sentences[version])


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_of_extensions_with_one_sad_at_once_one_succeeds(alice: Signer) -> None:
    sad, bearer = allow(alice, LEASE, num_signatures=6), bearer_of(alice)
    barrier = Barrier(5)

    def run(number: int) -> bool:
        barrier.wait()
        try:
            extend(
                sad=sad,
                bearer=bearer,
                credential=alice.credential,
                digests=[digest(str(number))],
                hash_algorithm_oid=None,
                origin=ORIGIN,
            )
            return True
        except ActivationReplayedError:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as threads:
        assert sorted(threads.map(run, range(5))) == [False] * 4 + [True]
    assert Extension.objects.count() == 1
    assert ActivatedDigest.objects.count() == 2


def test_neither_step_runs_inside_somebody_s_transaction(alice: Signer) -> None:
    sad, bearer = allow(alice, LEASE), bearer_of(alice)
    given: dict[str, Any] = {"credential": alice.credential, "hash_algorithm_oid": None, "origin": ORIGIN}
    with transaction.atomic(using=ALIAS), pytest.raises(RuntimeError, match="durable"):
        extend(sad=sad, bearer=bearer, digests=None, **given)
    more: dict[str, Any] = {"factors": "PIN", "num_signatures": 1, "lifetime": timedelta(minutes=1)}
    with transaction.atomic(using=ALIAS), pytest.raises(RuntimeError, match="durable"):
        authorise(token=bearer, digests=[LEASE], **given, **more)
