"""The signing service's own activation against the authorization server itself: what one writes, the other verifies."""

import base64
import time
from typing import Any

import pytest
from django.conf import settings

from rssp.activation import (
    parse_creation_approval,
    parse_signing_approval,
    verify_activation,
    verify_creation,
)
from rssp.clients import introspection
from rssp.errors import ActivationRefusedError, InvalidTokenError
from tests.authz.conftest import (
    CREATION,
    Flow,
    Person,
    alice,
    clients,
    credential_request,
    digest,
    flow,
    server,
    signing_details,
)

__all__ = ["alice", "clients", "credential_request", "flow", "server"]

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


def test_a_token_that_nobody_issued_is_refused(alice: Person) -> None:
    with pytest.raises(InvalidTokenError):
        introspection.verify_token("unknown")
