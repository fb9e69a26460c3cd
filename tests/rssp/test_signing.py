"""signHash: what is approved is signed once; everything else is refused before the HSM is asked."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from rssp.models import ActivatedDigest, AuditEvent, PasskeyBinding, SigningKey
from rssp.services.hsm import get_hsm
from tests.rssp.conftest import Asked, Signer, digest
from tests.support.authenticator import UP, Authenticator

LEASE, ANNEX = digest("Lease"), digest("Annex")


def signatures(answer: Any) -> list[bytes]:
    assert answer.status_code == 200, answer.content
    return [base64.b64decode(item) for item in answer.json()["signatures"]]


def refused(answer: Any, asked: Asked, sentence: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (status, sentence)
    assert asked.count == 0


def verify(signer: Signer, value: bytes, signed: bytes) -> None:
    key = load_der_public_key(bytes(signer.credential.key.public_key))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(value, signed, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_an_approved_digest_is_signed_once_and_the_audit_knows(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    verify(alice, *signatures(alice.sign(token, LEASE)), LEASE)
    again = alice.sign(token, LEASE)
    assert again.json()["error_description"] == "Hash is not authorized by the SAD."
    assert asked.count == 1
    assert list(AuditEvent.objects.order_by("sequence").values_list("result", flat=True)) == ["signed", "replay"]
    row = ActivatedDigest.objects.get()
    assert (row.state, row.digest) == ("signed", LEASE.hex())


def test_order_is_free_and_one_token_serves_several_calls(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE, ANNEX, LEASE)
    first, second = signatures(alice.sign(token, ANNEX, LEASE))
    verify(alice, first, ANNEX)
    verify(alice, second, LEASE)
    signatures(alice.sign(token, LEASE))
    assert alice.sign(token, LEASE).status_code == 400
    assert asked.count == 3


@pytest.mark.parametrize("version", [1, 2])
def test_a_service_token_with_the_sad_signs_in_both_versions(alice: Signer, asked: Asked, version: int) -> None:
    service = alice.log_in()
    answer = alice.sign(service, LEASE, version=version, SAD=alice.approve(LEASE))
    verify(alice, *signatures(answer), LEASE)


@pytest.mark.parametrize("sent", [(ANNEX,), (LEASE, ANNEX), (LEASE, LEASE)])
def test_other_added_and_duplicated_digests_are_refused_whole(
    alice: Signer, asked: Asked, sent: tuple[bytes, ...]
) -> None:
    refused(alice.sign(alice.approve(LEASE), *sent), asked, "Hash is not authorized by the SAD.")


def test_a_document_digest_is_never_signed_here(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE, hash_type="sdr")
    refused(alice.sign(token, LEASE), asked, "Hash is not authorized by the SAD.")


@pytest.mark.parametrize(
    "changes",
    [
        {"how": {"flags": UP}},
        {"place": {"rp_id": "evil.example"}},
        {"place": {"origin": "https://evil.example"}},
        {"num_signatures": 2},
        {"nonce": bytes(31)},
        {"client_id": "mallory"},
    ],
)
def test_an_approval_that_does_not_verify_is_refused(alice: Signer, asked: Asked, changes: dict[str, Any]) -> None:
    refused(alice.sign(alice.approve(LEASE, **changes), LEASE), asked, "Invalid parameter SAD")
    assert AuditEvent.objects.get().result == "refused"


def test_a_passkey_that_is_not_bound_activates_nothing(alice: Signer, asked: Asked) -> None:
    other = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    refused(alice.sign(alice.approve(LEASE, key=other), LEASE), asked, "Invalid parameter SAD")
    token = alice.approve(LEASE)
    PasskeyBinding.objects.update(unbound="2026-01-01T00:00:00Z")
    refused(alice.sign(token, LEASE), asked, "Invalid parameter SAD")


def test_an_assertion_for_other_digests_behind_a_lying_answer_is_refused(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    detail = alice.remote.tokens[token]["authorization_details"][0]
    detail["documentDigests"][0]["hash"] = base64.b64encode(ANNEX).decode()
    refused(alice.sign(token, ANNEX), asked, "Invalid parameter SAD")


def test_the_same_assertion_behind_a_second_token_is_a_replay(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    signatures(alice.sign(token, LEASE))
    alice.remote.tokens["second"] = alice.remote.tokens[token]
    answer = alice.sign("second", LEASE)
    assert answer.json()["error_description"] == "Invalid parameter SAD"
    assert asked.count == 1
    assert AuditEvent.objects.latest("sequence").result == "replay"


def test_an_expired_approval_is_refused(alice: Signer, asked: Asked) -> None:
    refused(alice.sign(alice.approve(LEASE, expires_at=1_700_000_000), LEASE), asked, "SAD expired")


def test_another_user_s_credential_looks_like_none(alice: Signer, bob: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    for credential_id in (bob.credential.credential_id, "unknown"):
        refused(alice.sign(token, LEASE, credentialID=credential_id), asked, "Invalid parameter credentialID")


def test_another_user_s_or_client_s_sad_is_refused(alice: Signer, bob: Signer, asked: Asked) -> None:
    sad = alice.approve(LEASE)
    refused(bob.sign(bob.log_in(), LEASE, SAD=sad), asked, "Invalid parameter SAD")
    refused(alice.sign(alice.log_in(client_id="mallory"), LEASE, SAD=sad), asked, "Invalid parameter SAD")
    refused(alice.sign(alice.log_in(), LEASE, SAD="forged"), asked, "Invalid parameter SAD")


def test_a_service_token_alone_signs_nothing(alice: Signer, asked: Asked) -> None:
    refused(alice.sign(alice.log_in(), LEASE), asked, "Missing (or invalid type) string parameter SAD")
    assert alice.sign("forged", LEASE).status_code == 401


def test_a_disabled_credential_and_a_dead_certificate_sign_nothing(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    certificate = alice.credential.certificate
    certificate.status = "revoked"
    certificate.save()
    refused(alice.sign(token, LEASE), asked, "Signing certificate 'CN=Alice Example' is revoked.")
    certificate.status = "valid"
    certificate.not_after = certificate.not_before
    certificate.save()
    refused(alice.sign(token, LEASE), asked, "Signing certificate 'CN=Alice Example' is expired.")
    alice.credential.status = "disabled"
    alice.credential.save()
    refused(alice.sign(token, LEASE), asked, "The credential identified by credentialID is disabled")


@pytest.fixture
def resident(settings: Any) -> None:
    settings.KEY_STORAGE = "resident"


def test_a_signature_that_does_not_verify_never_leaves(
    resident: None, alice: Signer, bob: Signer, asked: Asked
) -> None:
    token = alice.approve(LEASE, ANNEX)
    mine, theirs = (SigningKey.objects.filter(pk=signer.credential.key.pk) for signer in (alice, bob))
    theirs.update(key_id=b"moved out of way")
    mine.update(key_id=bytes(bob.credential.key.key_id))
    alice.credential.key.refresh_from_db()
    alice.change()
    answer = alice.sign(token, LEASE, ANNEX)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert set(ActivatedDigest.objects.values_list("state", flat=True)) == {"unknown"}
    assert asked.count == 1
    assert list(AuditEvent.objects.order_by("sequence").values_list("result", flat=True))[:2] == [
        "outcome unknown",
        "not asked",
    ]
    assert alice.sign(token, LEASE).status_code == 400
    assert get_hsm() is not None
