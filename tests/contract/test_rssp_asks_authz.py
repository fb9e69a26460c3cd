"""The signing service's own activation against the authorization server itself: what one writes, the other verifies."""

import base64
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings

from authz.models import BackchannelRequest
from authz.services.backchannel import MOST_WAITING
from authz.services.tokens import revoke_user_tokens
from config.transport import CalledInsideTransactionError
from rssp.activation import (
    parse_creation_approval,
    parse_deletion_approval,
    parse_signing_approval,
    verify_activation,
    verify_creation,
    verify_deletion,
)
from rssp.clients import backchannel, introspection
from rssp.errors import (
    ActivationRefusedError,
    ApprovalDeniedError,
    AuthorizationServerUnavailableError,
    InvalidTokenError,
    TooManyChallengesError,
)
from tests.authz.conftest import (
    CREATION,
    DELETION,
    Flow,
    Person,
    alice,
    clients,
    credential_request,
    digest,
    flow,
    foreign,
    server,
    signing_details,
)

__all__ = ["alice", "clients", "credential_request", "flow", "foreign", "server"]

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def given(token: introspection.VerifiedToken) -> dict[str, Any]:
    return {
        "client_id": token.client_id,
        "subject": token.subject,
        "details": token.details,
        "approval": token.approval,
    }


def here() -> dict[str, Any]:
    return {
        "expected_rp_id": settings.APPROVAL_RP_ID,
        "expected_origin": settings.APPROVAL_ORIGIN,
        "now": int(time.time()),
    }


def test_what_the_consent_page_had_approved_activates(alice: Person, flow: Flow) -> None:
    alice.log_in()
    details = signing_details("Lease.pdf", "Lease.pdf", "Mietvertrag über 🖋.pdf")
    details[0]["documentDigests"][1]["hashType"] = "DTBSR"
    token = introspection.verify_token(flow.token(alice, details)["access_token"])
    expected = here() | {
        "expected_credential_id": "credential-1",
        "expected_subject": str(alice.user.sub),
        "expected_passkey_id": alice.key.credential_id,
        "expected_public_key": alice.key.public_key,
    }
    verified = verify_activation(given=parse_signing_approval(**given(token)), **expected)
    lease = ("dtbsr", digest("Lease.pdf"))
    assert verified.digests == (lease, lease, ("dtbsr", digest("Mietvertrag über 🖋.pdf")))
    token.details[0]["documentDigests"][0]["hash"] = base64.b64encode(digest("Other")).decode()
    with pytest.raises(ActivationRefusedError):
        verify_activation(given=parse_signing_approval(**given(token)), **expected)


def test_what_the_consent_page_had_approved_creates(alice: Person, flow: Flow) -> None:
    alice.log_in()
    token = introspection.verify_token(flow.token(alice, CREATION)["access_token"])
    verified = verify_creation(given=parse_creation_approval(**given(token)), **here())
    assert verified.passkey_public_key == alice.key.public_key
    assert (verified.common_name, verified.key_algorithm) == (alice.name, "ec-p256")
    token.details[0]["subject"]["commonName"] = "Mallory"
    with pytest.raises(ActivationRefusedError):
        verify_creation(given=parse_creation_approval(**given(token)), **here())


def test_what_the_consent_page_had_approved_ends(alice: Person, flow: Flow) -> None:
    alice.log_in()
    token = introspection.verify_token(flow.token(alice, DELETION)["access_token"])
    expected = here() | {
        "expected_credential_id": "credential-1",
        "expected_subject": str(alice.user.sub),
        "expected_passkey_id": alice.key.credential_id,
        "expected_public_key": alice.key.public_key,
    }
    assert verify_deletion(given=parse_deletion_approval(**given(token)), **expected).revocation_reason == ""
    token.details[0] |= {"revoke": True, "revocationReason": "superseded"}
    with pytest.raises(ActivationRefusedError):
        verify_deletion(given=parse_deletion_approval(**given(token)), **expected)


def test_introspection_inside_the_process_says_what_the_endpoint_says(alice: Person, flow: Flow, settings: Any) -> None:
    alice.log_in()
    tokens = [flow.token(alice, details)["access_token"] for details in (signing_details("Lease.pdf"), CREATION)]
    inside = [introspection.verify_token(token) for token in tokens]
    settings.INTROSPECTION = ""
    assert inside == [introspection.verify_token(token) for token in tokens]
    assert all(token.approval and token.details for token in inside)


@pytest.mark.parametrize("inside", [True, False])
def test_either_way_a_token_ends_at_once_and_a_wrong_secret_learns_nothing(
    alice: Person, flow: Flow, settings: Any, inside: bool
) -> None:
    if not inside:
        settings.INTROSPECTION = ""
    alice.log_in()
    token = flow.token(alice, signing_details("Lease.pdf"))["access_token"]
    introspection.verify_token(token)
    with override_settings(RSSP_CLIENT_SECRET="x" * 43), pytest.raises(AuthorizationServerUnavailableError):
        introspection.verify_token(token)
    with transaction.atomic(), pytest.raises(CalledInsideTransactionError):
        introspection.verify_token(token)
    revoke_user_tokens(user=alice.user)
    with pytest.raises(InvalidTokenError):
        introspection.verify_token(token)


def test_a_token_that_nobody_issued_is_refused(alice: Person) -> None:
    with pytest.raises(InvalidTokenError):
        introspection.verify_token("unknown")


def test_what_was_asked_for_out_of_band_activates_for_the_client_behind_it(alice: Person, foreign: Any) -> None:
    details = signing_details("Lease.pdf", onBehalfOf=foreign[0])
    asked = backchannel.ask_for_approval(
        subject=str(alice.user.sub), details=details, binding_message=f"{foreign[0]}: Lease"
    )
    assert (asked.interval, 0 < asked.expires_in <= 600) == (5, True)
    assert backchannel.poll_approval(request=asked.request) == backchannel.Waiting(slower=False)
    assert backchannel.poll_approval(request=asked.request) == backchannel.Waiting(slower=True)
    alice.log_in()
    alice.approve(f"/authz/approvals/{BackchannelRequest.objects.get().consent_id}")
    answer = backchannel.poll_approval(request=asked.request)
    assert isinstance(answer, str)
    token = introspection.verify_token(answer)
    expected = here() | {
        "expected_credential_id": "credential-1",
        "expected_subject": str(alice.user.sub),
        "expected_passkey_id": alice.key.credential_id,
        "expected_public_key": alice.key.public_key,
    }
    approval = parse_signing_approval(**given(token))
    assert verify_activation(given=approval, expected_on_behalf_of=foreign[0], **expected).digests
    for other in ("", "another-client"):
        with pytest.raises(ActivationRefusedError):
            verify_activation(given=approval, expected_on_behalf_of=other, **expected)
    with pytest.raises(ApprovalDeniedError):
        backchannel.poll_approval(request=asked.request)


@pytest.mark.parametrize("changes", [{"subject": "nobody"}, {"binding_message": "x" * 201}, {"details": []}])
def test_what_authz_does_not_ask_is_told_as_such(alice: Person, foreign: Any, changes: dict[str, Any]) -> None:
    wanted = {
        "subject": str(alice.user.sub),
        "details": signing_details("Lease.pdf", onBehalfOf=foreign[0]),
        "binding_message": "Lease",
    }
    with pytest.raises(ApprovalDeniedError):
        backchannel.ask_for_approval(**wanted | changes)


def test_whom_authz_protects_from_questions_is_not_asked_again(alice: Person, foreign: Any) -> None:
    details = signing_details("Lease.pdf", onBehalfOf=foreign[0])
    wanted: dict[str, Any] = {"subject": str(alice.user.sub), "details": details, "binding_message": "Lease"}
    for _ in range(MOST_WAITING):
        backchannel.ask_for_approval(**wanted)
    with pytest.raises(TooManyChallengesError):
        backchannel.ask_for_approval(**wanted)
