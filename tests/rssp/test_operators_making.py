"""What the operators' API makes and ends: implicit credentials, opened as they say, and what stood. Explicit ones are
in `tests.rssp.test_operators_api`, external ones in `tests.rssp.test_external_issuer`."""

from typing import Any

import pytest

from rssp.models import CertificateRequest, Credential, StandingEnd
from tests.rssp.conftest import Signer, call, digest, is_key_there
from tests.rssp.explicit import data
from tests.rssp.operators import (
    REASON,
    ROBOT,
    get,
    new_credential,
    operator_settings,
    person,
    post,
    refused,
    robot,
)
from tests.rssp.test_explicit import authorize, opened
from tests.rssp.test_one_time import prepare, prepared, stand
from tests.rssp.test_out_of_band import approve, check, waiting

__all__ = ["operator_settings"]
LEASE = digest("Lease")
PASSKEY = [{"name": "KEY", "kind": "passkey"}]


def test_an_implicit_credential_is_made_and_its_owner_s_passkey_opens_it(alice: Signer) -> None:
    wanted = new_credential(mode="implicit", subject=alice.subject, objects=PASSKEY, multisign=2)
    made = post("credentials", wanted, person(alice.remote))
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["auth_mode"], told["status"], told["scal"], told["subject"]) == (
        *("implicit", "enabled", "2"),
        alice.subject,
    )
    alice.credential = Credential.objects.get(credential_id=told["credential_id"])
    service = alice.log_in()
    info = call("credentials/info", {"credentialID": told["credential_id"]}, service, version=1).json()
    assert (info["authMode"], info["multisign"]) == ("implicit", 2)
    handle = waiting(authorize(alice, service, LEASE, authData=data()))
    assert alice.sign(service, LEASE, SAD=handle).status_code == 400
    approve(alice)
    assert alice.sign(service, LEASE, SAD=opened(check(service, handle))).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "nobody", "objects": PASSKEY},  # whose passkey nobody here knows
        {"objects": [{"name": "PIN", "kind": "pin", "secret": "271828"}]},
        {"objects": [*PASSKEY, {"name": "PIN", "kind": "pin", "secret": "271828"}]},
        {"objects": [{"name": "KEY", "kind": "passkey", "secret": "271828"}]},
        {"objects": None},
    ],
)
def test_an_implicit_credential_is_a_known_passkey_s_alone(alice: Signer, changes: dict[str, Any]) -> None:
    wanted = new_credential(mode="implicit", **{"subject": alice.subject} | changes)
    refused(post("credentials", wanted, person(alice.remote)), 400, "invalid_request")
    assert Credential.objects.count() == 1


# --- What stands --------------------------------------------------------------------------------------------


@pytest.fixture
def standing(alice: Signer) -> CertificateRequest:
    return stand(alice)


def end(standing: CertificateRequest, bearer: str, **changes: Any) -> Any:
    return post(f"requests/{standing.pk}/end", REASON | changes, bearer)


def test_what_stood_is_ended_with_the_key_that_waited(alice: Signer, standing: CertificateRequest) -> None:
    bearer, made = person(alice.remote), prepared(alice, standing)
    assert get(f"requests/{standing.pk}", bearer).json()["state"] == "standing"
    done = end(standing, bearer)
    assert (done.status_code, done.json()["state"]) == (200, "ended")
    assert not is_key_there(made.key)
    assert prepare(alice, standing).status_code == 400
    assert StandingEnd.objects.get().confirmed_by == "bob@example.org"
    refused(end(standing, bearer), 409, "wrong_state")


def test_two_operators_end_what_stood(alice: Signer, standing: CertificateRequest, settings: Any) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    settings.OPERATOR_API_CLIENTS[ROBOT] = "bob"
    remote, made = alice.remote, prepared(alice, standing)
    proposed = end(standing, person(remote))
    assert (proposed.status_code, proposed.json()["state"]) == (202, "standing")
    assert get("counts", person(remote)).json()["proposed_ends"] == 1
    # The same person by either way.
    for again in (person(remote), robot(remote)):
        refused(end(standing, again), 403, "second_operator")
    assert is_key_there(made.key)
    withdraw = f"requests/{standing.pk}/withdraw"
    refused(post(withdraw, {"reason": "x"}, person(remote, "carol")), 400, "invalid_request")
    back = post(withdraw, REASON, person(remote, "carol"))
    assert (back.status_code, back.json()["state"]) == (200, "standing")
    refused(post(withdraw, REASON, person(remote)), 409, "wrong_state")
    # A proposal that was taken back is nobody's: the next one is the first again.
    assert end(standing, person(remote)).status_code == 202
    done = end(standing, person(remote, "carol"), reason="So it is")
    assert (done.status_code, done.json()["state"]) == (200, "ended")
    assert not is_key_there(made.key)
    refused(post(withdraw, REASON, person(remote)), 409, "wrong_state")
    told = StandingEnd.objects.get(withdrawn=None)
    assert (told.proposed_by, told.confirmed_by, told.text) == (
        "bob@example.org",
        "carol@example.org",
        REASON["reason"],
    )
    assert get("counts", person(remote)).json()["proposed_ends"] == 0


def test_what_stands_is_not_ended_by_its_owner_nor_without_a_reason(
    alice: Signer, standing: CertificateRequest
) -> None:
    bearer = person(alice.remote)
    refused(end(standing, person(alice.remote, alice.subject)), 403, "own_credential")
    for reason in ("", "x", " x ", "x" * 151, 1, None):
        refused(end(standing, bearer, reason=reason), 400, "invalid_request")
    refused(end(standing, bearer, reason_code="superseded"), 400, "invalid_request")
    refused(post("requests/0/end", REASON, bearer), 404, "not_found")
    refused(post(f"requests/{standing.pk}/end", REASON, alice.log_in()), 403, "insufficient_scope")
    assert get(f"requests/{standing.pk}", bearer).json()["state"] == "standing"
    assert prepare(alice, standing).status_code == 201
    assert not StandingEnd.objects.exists()
