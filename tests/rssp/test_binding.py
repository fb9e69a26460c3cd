"""``credentials/changePasskeys``: a further passkey signs only after a bound one approved it, and not otherwise."""

from dataclasses import replace
from typing import Any

import pytest

from rssp import activation
from rssp.errors import ActivationExpiredError, ActivationRefusedError, HsmUnavailableError
from rssp.models import AuditEvent, Credential, PasskeyBinding
from rssp.services import binding
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.remote import Remote, approve_binding
from tests.rssp.test_activation import sign
from tests.support.authenticator import Authenticator, b64

LEASE = digest("Lease")
UNKNOWN = "Invalid parameter credentialID"
REFUSED = "Invalid parameter SAD"


@pytest.fixture
def second(alice: Signer) -> Authenticator:
    return Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)


def change(token: str, signer: Signer, action: str = "bind", **members: Any) -> Any:
    body = {"credentialID": signer.credential.credential_id, "action": action}
    return call("credentials/changePasskeys", body | members, token)


def approve(signer: Signer, bound: Authenticator, action: str = "bind", **changes: Any) -> str:
    wanted = signer.credential.credential_id
    return approve_binding(signer.remote, signer.key, signer.subject, wanted, bound, action, **changes)


def sign_with(signer: Signer, key: Authenticator) -> Any:
    held, signer.key = signer.key, key
    try:
        return signer.sign(signer.approve(LEASE), LEASE)
    finally:
        signer.key = held


def bound_keys(signer: Signer) -> set[bytes]:
    return {bytes(row.passkey_id) for row in PasskeyBinding.objects.filter(credential=signer.credential, unbound=None)}


def sentence(answer: Any) -> str:
    return str(answer.json()["error_description"])


def test_a_second_passkey_signs_after_the_first_one_let_it_and_not_before(
    alice: Signer, second: Authenticator, asked: Asked
) -> None:
    made = asked.count
    assert sign_with(alice, second).status_code == 400
    assert asked.count == made
    answer = change(approve(alice, second), alice)
    assert answer.status_code == 200
    told = [item["passkeyID"] for item in answer.json()["passkeys"]]
    assert told == [b64(alice.key.credential_id), b64(second.credential_id)]
    assert sign_with(alice, second).status_code == 200
    assert sign_with(alice, alice.key).status_code == 200
    event = AuditEvent.objects.filter(action="change passkeys").latest("sequence")
    assert (event.result, event.subject, event.factors) == ("done", alice.subject, "password, passkey")
    assert second.credential_id.hex()[:64] in event.reason


def test_an_unbound_passkey_signs_no_more_and_what_it_approved_is_dead(
    alice: Signer, second: Authenticator, asked: Asked
) -> None:
    change(approve(alice, second), alice)
    held, alice.key = alice.key, second
    waiting = alice.approve(LEASE)
    alice.key = held
    assert change(approve(alice, second, "unbind"), alice, "unbind").status_code == 200
    assert bound_keys(alice) == {alice.key.credential_id}
    made = asked.count
    assert alice.sign(waiting, LEASE).status_code == 400
    assert sign_with(alice, second).status_code == 400
    assert asked.count == made
    # The very same approval does not bind it again; another one does.
    assert change(approve(alice, second), alice).status_code == 200
    assert sign_with(alice, second).status_code == 200


def test_a_replayed_approval_changes_nothing_behind_whatever_token(alice: Signer, second: Authenticator) -> None:
    approval = approve(alice, second)
    assert change(approval, alice).status_code == 200
    assert change(approve(alice, second, "unbind"), alice, "unbind").status_code == 200
    alice.remote.tokens["another"] = alice.remote.tokens[approval]
    for token in (approval, "another"):
        assert sentence(change(token, alice)) == REFUSED
    assert bound_keys(alice) == {alice.key.credential_id}
    assert AuditEvent.objects.filter(action="change passkeys", result="replay").count() == 2


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("credential_id", "another"),
        ("action", "unbind"),
        ("client_id", "another"),
        ("subject", "another"),
        ("nonce", bytes(32)),
        ("nonce", bytes(31)),
        ("expires_at", 2**40),
        ("expires_at", 1001),
        ("passkey_id", b"another"),
        ("bound_id", b"another"),
        ("bound_id", b""),
        ("bound_id", bytes(1024)),
        ("bound_public_key", b""),
        ("bound_public_key", b"\xa0"),
        ("bound_public_key", "another key"),
        ("rp_id", "evil.example"),
        ("origin", "https://evil.example"),
    ],
)
def test_a_change_of_any_member_is_refused(
    alice: Signer, second: Authenticator, settings: Any, member: str, value: Any
) -> None:
    if value == "another key":
        value = Authenticator(rp_id="x", origin="x").public_key
    place = {"expected_rp_id": settings.APPROVAL_RP_ID, "expected_origin": settings.APPROVAL_ORIGIN}
    unsigned = activation.BindingApproval(
        nonce=bytes(range(32)),
        client_id="client",
        subject=alice.subject,
        credential_id="credential",
        action="bind",
        bound_id=second.credential_id,
        bound_public_key=second.public_key,
        expires_at=1000,
        passkey_id=alice.key.credential_id,
        assertion=activation.Assertion(b"", b"", b""),
    )
    given = sign(alice.key, unsigned, rp_id=settings.APPROVAL_RP_ID, origin=settings.APPROVAL_ORIGIN)
    expected: dict[str, Any] = place | {
        "expected_credential_id": "credential",
        "expected_subject": alice.subject,
        "expected_passkey_id": alice.key.credential_id,
        "expected_public_key": alice.key.public_key,
        "now": 900,
    }
    verified = activation.verify_binding_approval(given=given, **expected)
    assert (verified.action, verified.bound_id) == ("bind", second.credential_id)
    with pytest.raises(ActivationExpiredError):
        activation.verify_binding_approval(given=given, **expected | {"now": 1000})
    if f"expected_{member}" in place:
        expected[f"expected_{member}"] = value
    else:
        given = replace(given, **{member: value})
    with pytest.raises(ActivationRefusedError):
        activation.verify_binding_approval(given=given, **expected)


def test_a_passkey_does_not_bind_itself(alice: Signer, second: Authenticator) -> None:
    held, alice.key = alice.key, second
    assert sentence(change(approve(alice, second), alice)) == REFUSED
    third = Authenticator(rp_id=second.rp_id, origin=second.origin)
    assert sentence(change(approve(alice, third), alice)) == REFUSED
    alice.key = held
    assert sentence(change(approve(alice, held), alice)) == REFUSED
    assert bound_keys(alice) == {held.credential_id}


def test_the_last_one_is_not_unbound(alice: Signer, second: Authenticator) -> None:
    assert sentence(change(approve(alice, alice.key, "unbind"), alice, "unbind")) == REFUSED
    assert sentence(change(approve(alice, second, "unbind"), alice, "unbind")) == REFUSED
    assert bound_keys(alice) == {alice.key.credential_id}


def test_an_approval_of_another_kind_binds_nothing_and_this_kind_signs_nothing(
    alice: Signer, second: Authenticator, asked: Asked
) -> None:
    """One assertion behind details and a kind of something else: the challenge begins with the kind."""
    signing, made = alice.approve(LEASE), asked.count
    granted = approve(alice, second)
    forged = alice.remote.tokens[granted] | {
        "scope": "passkey-binding",
        "paraph_approval": alice.remote.tokens[signing]["paraph_approval"] | {"kind": "passkey-binding"},
    }
    alice.remote.tokens["forged"] = forged
    assert sentence(change("forged", alice)) == REFUSED
    alice.remote.tokens["signing"] = alice.remote.tokens[signing] | {
        "paraph_approval": alice.remote.tokens[granted]["paraph_approval"] | {"kind": "credential"}
    }
    assert alice.sign("signing", LEASE).status_code == 400
    assert asked.count == made
    assert bound_keys(alice) == {alice.key.credential_id}


@pytest.mark.parametrize("member", ["paraph_approval", "authorization_details"])
def test_a_forged_token_without_its_evidence_binds_nothing(alice: Signer, second: Authenticator, member: str) -> None:
    approval = approve(alice, second)
    del alice.remote.tokens[approval][member]
    assert sentence(change(approval, alice)) == REFUSED


def test_a_key_that_authz_put_in_the_place_of_the_approved_one_is_refused(alice: Signer, second: Authenticator) -> None:
    mallory = Authenticator(rp_id=second.rp_id, origin=second.origin)
    approval = approve(alice, second)
    detail = alice.remote.tokens[approval]["authorization_details"][0]
    for changed in ({"publicKey": b64(mallory.public_key)}, {"id": b64(mallory.credential_id)}):
        alice.remote.tokens[approval]["authorization_details"] = [detail | {"passkey": detail["passkey"] | changed}]
        assert sentence(change(approval, alice)) == REFUSED
    assert bound_keys(alice) == {alice.key.credential_id}


def test_another_users_credential_is_unknown(alice: Signer, bob: Signer, second: Authenticator) -> None:
    wanted = alice.credential.credential_id
    approval = approve_binding(alice.remote, bob.key, bob.subject, wanted, second)
    assert sentence(change(approval, alice)) == UNKNOWN
    assert sentence(change(approve(alice, second), bob)) == UNKNOWN
    alice.change(status=Credential.Status.ENDED)
    assert sentence(change(approve(alice, second), alice)) == UNKNOWN


@pytest.mark.parametrize("scope", ["service", "credential", "credential-creation", "credential-deletion"])
def test_a_token_for_something_else_binds_nothing(alice: Signer, remote: Remote, scope: str) -> None:
    token = alice.approve(LEASE) if scope == "credential" else remote.grant(alice.subject, scope)
    assert change(token, alice).status_code == 403


@pytest.mark.parametrize(
    ("members", "named"),
    [({"action": "unbind"}, "action"), ({"action": "take"}, "action"), ({"credentialID": "another"}, "credentialID")],
)
def test_what_was_not_approved_is_not_done(
    alice: Signer, second: Authenticator, members: dict[str, Any], named: str
) -> None:
    answer = change(approve(alice, second), alice, **members)
    assert (answer.status_code, sentence(answer)) == (400, f"Invalid parameter {named}")
    assert bound_keys(alice) == {alice.key.credential_id}


def test_a_binding_that_somebody_wrote_into_the_database_is_tampering(alice: Signer, second: Authenticator) -> None:
    PasskeyBinding.objects.create(
        credential=alice.credential, passkey_id=second.credential_id, public_key=second.public_key, mac="1:00"
    )
    third = Authenticator(rp_id=second.rp_id, origin=second.origin)
    assert change(approve(alice, third), alice).status_code in (400, 500)
    assert third.credential_id not in bound_keys(alice)
    assert AuditEvent.objects.filter(action="change passkeys", result="tampered").exists()


def test_there_are_bounds(alice: Signer, second: Authenticator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert change(approve(alice, second), alice).status_code == 200
    assert sentence(change(approve(alice, second), alice)) == REFUSED  # bound already
    monkeypatch.setattr(binding, "MOST_PASSKEYS", 2)
    third = Authenticator(rp_id=second.rp_id, origin=second.origin)
    assert sentence(change(approve(alice, third), alice)) == REFUSED


def test_a_token_of_the_hsm_that_cannot_be_reached_costs_no_approval(
    alice: Signer, second: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = approve(alice, second)
    with monkeypatch.context() as patch:

        def fail() -> Any:
            raise HsmUnavailableError("gone")

        patch.setattr(binding.get_hsm(), "read_epoch", fail)
        assert change(approval, alice).status_code == 503
    assert change(approval, alice).status_code == 200
