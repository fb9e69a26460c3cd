"""``credentials/delete``: the owner's passkey ends a credential, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from rssp import activation
from rssp.errors import ActivationRefusedError, HsmUnavailableError
from rssp.models import (
    ActivatedDigest,
    AuditEvent,
    Certificate,
    CertificateRequest,
    Credential,
    OneTimeCredential,
    PasskeyBinding,
    SigningKey,
)
from rssp.services import deleting
from rssp.services.hsm import get_hsm
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.remote import Remote, approve_deletion
from tests.rssp.test_activation import sign
from tests.rssp.test_one_time import prepared, stand
from tests.support.authenticator import Authenticator

LEASE = digest("Lease")
UNKNOWN = "Invalid parameter credentialID"
REFUSED = "Invalid parameter SAD"


def delete(token: str, credential_id: str, **members: Any) -> Any:
    return call("credentials/delete", {"credentialDeletionRequest": {"credentialID": credential_id} | members}, token)


def approve(signer: Signer, credential_id: str | None = None, **changes: Any) -> str:
    wanted = credential_id or signer.credential.credential_id
    return approve_deletion(signer.remote, signer.key, signer.subject, wanted, **changes)


def sentence(answer: Any) -> str:
    return str(answer.json()["error_description"])


def test_an_approved_deletion_destroys_the_key_and_leaves_the_certificate_good(alice: Signer, asked: Asked) -> None:
    waiting = alice.approve(LEASE)
    assert alice.sign(alice.approve(digest("Annex")), digest("Annex")).status_code == 200
    key_id = bytes(alice.credential.key.key_id)
    answer = delete(approve(alice), alice.credential.credential_id)
    assert (answer.status_code, answer.content) == (204, b"")
    alice.credential.refresh_from_db()
    assert alice.credential.status == Credential.Status.ENDED
    assert alice.credential.certificate.status == Certificate.Status.VALID
    assert SigningKey.objects.get(pk=alice.credential.key_id).state == SigningKey.State.DESTROYED
    assert key_id not in set(get_hsm().list_key_ids())
    assert not PasskeyBinding.objects.filter(credential=alice.credential, unbound=None).exists()
    event = AuditEvent.objects.filter(action="end credential").latest("sequence")
    assert (event.result, event.subject, event.factors) == ("done", alice.subject, "password, passkey")
    made = asked.count
    assert alice.sign(waiting, LEASE).status_code == 400
    assert asked.count == made


def test_an_approved_revocation_is_told_to_everybody_and_takes_what_waits(alice: Signer) -> None:
    token = alice.approve(LEASE, digest("Annex"))
    assert alice.sign(token, LEASE).status_code == 200  # one of two: the other one waits
    approval = approve(alice, revocation_reason="keyCompromise")
    answer = delete(approval, alice.credential.credential_id, revoke=True, revocationReason="keyCompromise")
    assert answer.status_code == 204
    certificate = Certificate.objects.get(pk=alice.credential.certificate_id)
    assert (certificate.status, certificate.revocation_reason) == ("revoked", "key_compromise")
    assert {row.state for row in ActivatedDigest.objects.all()} == {"signed", "withdrawn"}


def test_a_revocation_without_a_reason_is_an_unspecified_one(alice: Signer) -> None:
    approval = approve(alice, revocation_reason="unspecified")
    assert delete(approval, alice.credential.credential_id, revoke=True).status_code == 204
    assert Certificate.objects.get(pk=alice.credential.certificate_id).revocation_reason == "unspecified"


@pytest.mark.parametrize("way", ["again", "another token"])
def test_one_approval_ends_one_credential(alice: Signer, way: str) -> None:
    approval = approve(alice)
    assert delete(approval, alice.credential.credential_id).status_code == 204
    if way == "another token":
        alice.remote.tokens["second"] = alice.remote.tokens[approval]
        approval = "second"
    assert sentence(delete(approval, alice.credential.credential_id)) == UNKNOWN


@pytest.mark.parametrize(
    ("approved", "members", "named"),
    [
        ("", {"revoke": True}, "revocationReason"),
        ("", {"revoke": True, "revocationReason": "superseded"}, "revocationReason"),
        ("superseded", {}, "revoke"),
        ("superseded", {"revoke": True, "revocationReason": "keyCompromise"}, "revocationReason"),
        ("superseded", {"revoke": True}, "revocationReason"),
        ("", {"revocationReason": "superseded"}, "revocationReason"),
        ("", {"revoke": True, "revocationReason": "cACompromise"}, "revocationReason"),
        ("", {"revoke": True, "revocationReason": 1}, "revocationReason"),
        ("", {"revoke": "yes"}, "revoke"),
    ],
)
def test_what_was_not_approved_is_not_done(alice: Signer, approved: str, members: dict[str, Any], named: str) -> None:
    approval = approve(alice, revocation_reason=approved)
    answer = delete(approval, alice.credential.credential_id, **members)
    assert (answer.status_code, sentence(answer)) == (400, f"Invalid parameter {named}")
    assert_untouched(alice)


def assert_untouched(signer: Signer) -> None:
    signer.credential.refresh_from_db()
    assert signer.credential.status == Credential.Status.ENABLED
    assert signer.sign(signer.approve(LEASE), LEASE).status_code == 200


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("credential_id", "another"),
        ("revocation_reason", "superseded"),
        ("client_id", "another"),
        ("subject", "another"),
        ("nonce", bytes(32)),
        ("nonce", bytes(31)),
        ("expires_at", 2**40),
        ("expires_at", 1),
        ("passkey_id", b"another"),
        ("rp_id", "evil.example"),
        ("origin", "https://evil.example"),
    ],
)
def test_a_change_of_any_member_is_refused(alice: Signer, settings: Any, member: str, value: Any) -> None:
    place = {"expected_rp_id": settings.APPROVAL_RP_ID, "expected_origin": settings.APPROVAL_ORIGIN}
    given = sign(
        alice.key,
        activation.DeletionApproval(
            nonce=bytes(range(32)),
            client_id="client",
            subject=alice.subject,
            credential_id="credential",
            revocation_reason="",
            expires_at=1000,
            passkey_id=alice.key.credential_id,
            assertion=activation.Assertion(b"", b"", b""),
        ),
        rp_id=settings.APPROVAL_RP_ID,
        origin=settings.APPROVAL_ORIGIN,
    )
    expected: dict[str, Any] = place | {
        "expected_credential_id": "credential",
        "expected_subject": alice.subject,
        "expected_passkey_id": alice.key.credential_id,
        "expected_public_key": alice.key.public_key,
        "now": 900,
    }
    assert activation.verify_deletion(given=given, **expected).credential_id == "credential"
    if f"expected_{member}" in place:
        expected[f"expected_{member}"] = value
    else:
        given = replace(given, **{member: value})
    with pytest.raises(ActivationRefusedError):
        activation.verify_deletion(given=given, **expected)


def test_another_users_credential_is_unknown(alice: Signer, bob: Signer) -> None:
    approval = approve_deletion(alice.remote, bob.key, bob.subject, alice.credential.credential_id)
    assert sentence(delete(approval, alice.credential.credential_id)) == UNKNOWN
    assert sentence(delete(approve(alice), bob.credential.credential_id)) == UNKNOWN
    assert_untouched(alice)


def test_an_approval_for_another_credential_ends_nothing(alice: Signer) -> None:
    approval = approve(alice, "another")
    assert sentence(delete(approval, alice.credential.credential_id)) == REFUSED
    assert_untouched(alice)


def test_a_passkey_that_is_not_bound_ends_nothing(alice: Signer) -> None:
    alice.key, bound = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin), alice.key
    assert sentence(delete(approve(alice), alice.credential.credential_id)) == REFUSED
    alice.key = bound
    assert_untouched(alice)


def test_a_forged_token_without_an_assertion_ends_nothing(alice: Signer) -> None:
    approval = approve(alice)
    del alice.remote.tokens[approval]["paraph_approval"]
    assert sentence(delete(approval, alice.credential.credential_id)) == REFUSED
    assert_untouched(alice)


@pytest.mark.parametrize("scope", ["service", "credential", "creation"])
def test_a_token_for_something_else_ends_nothing(alice: Signer, remote: Remote, scope: str) -> None:
    token = alice.approve(LEASE) if scope == "credential" else remote.grant(alice.subject, scope)
    assert delete(token, alice.credential.credential_id).status_code == 403
    assert_untouched(alice)


@pytest.mark.parametrize("body", [{}, {"credentialDeletionRequest": []}, {"credentialDeletionRequest": {}}])
def test_a_malformed_request_names_what_is_missing(alice: Signer, body: dict[str, Any]) -> None:
    answer = call("credentials/delete", body, approve(alice))
    assert answer.status_code == 400
    assert sentence(answer).startswith("Missing (or invalid type)")


def test_a_token_that_cannot_be_reached_costs_no_approval(alice: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    approval = approve(alice)
    with monkeypatch.context() as patch:

        def fail() -> Any:
            raise HsmUnavailableError("gone")

        patch.setattr(deleting.get_hsm(), "read_epoch", fail)
        assert delete(approval, alice.credential.credential_id).status_code == 503
    assert delete(approval, alice.credential.credential_id).status_code == 204


def test_what_stands_is_ended_with_what_was_prepared_of_it(alice: Signer, settings: Any) -> None:
    settings.KEY_POOL = {}
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer", "short-lived"]
    standing = stand(alice)
    made = prepared(alice, standing)
    assert delete(approve(alice, standing.credential_id), standing.credential_id).status_code == 204
    standing.refresh_from_db()
    assert standing.state == CertificateRequest.State.ENDED
    assert Credential.objects.get(pk=made.pk).status == Credential.Status.ENDED
    assert OneTimeCredential.objects.get(credential=made).end == OneTimeCredential.End.WITHDRAWN
    assert SigningKey.objects.get(pk=made.key_id).state == SigningKey.State.DESTROYED
