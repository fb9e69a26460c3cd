"""A further passkey for a credential, from gateway's wish over authz's page to what rssp verifies and answers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from authz.authorization_details import parse_authorization_details
from authz.services import passkeys
from gateway.wire import binding_details, is_same_approval, parse_passkeys
from rssp.activation import parse_binding_approval, verify_binding_approval
from rssp.clients import introspection
from rssp.errors import ActivationRefusedError
from rssp.wire import parse_change_passkeys_request, write_passkeys
from tests.authz.conftest import Flow, Person, Pkce, Server, alice, clients, credential_request, flow, query, server
from tests.authz.test_passkey_binding import answer
from tests.contract.test_rssp_asks_authz import given, here
from tests.support.authenticator import Authenticator, b64

__all__ = ["alice", "clients", "credential_request", "flow", "server"]
pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


@pytest.mark.parametrize("action", ["bind", "unbind"])
def test_what_one_passkey_approved_of_another_is_verified(
    alice: Person, flow: Flow, server: Server, action: str
) -> None:
    second = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    passkeys.import_passkey(
        user=alice.user, credential_id=second.credential_id, public_key=second.public_key, name="Blue key"
    )
    alice.log_in()
    asked = binding_details(credential_id="credential-1", credential_label="Alice, RSA", action=action)
    pkce = Pkce()
    done = answer(alice, flow.open(alice, pkce, asked), second, alice.key)
    granted = server.redeem(query(done["Location"])["code"], pkce).json()
    assert is_same_approval(asked, granted["authorization_details"])
    token = introspection.verify_token(granted["access_token"])
    expected: dict[str, Any] = here() | {
        "expected_credential_id": "credential-1",
        "expected_subject": str(alice.user.sub),
        "expected_passkey_id": alice.key.credential_id,
        "expected_public_key": alice.key.public_key,
    }
    verified = verify_binding_approval(given=parse_binding_approval(**given(token)), **expected)
    assert (verified.action, verified.bound_id, verified.bound_public_key) == (
        action,
        second.credential_id,
        second.public_key,
    )
    stranger = Authenticator(rp_id="x", origin="x")
    token.details[0]["passkey"]["publicKey"] = b64(stranger.public_key)
    with pytest.raises(ActivationRefusedError):
        verify_binding_approval(given=parse_binding_approval(**given(token)), **expected)


def test_the_words_are_the_same() -> None:
    asked = binding_details(credential_id="credential-1", credential_label="", action="bind")
    assert parse_authorization_details(json.dumps(asked))
    assert parse_change_passkeys_request({"credentialID": "credential-1", "action": "bind"}).action == "bind"
    bound = datetime(2026, 11, 25, 12, tzinfo=UTC)
    told = parse_passkeys(write_passkeys("credential-1", [(b"\xff" * 32, bound)]))
    assert told == [{"passkey_id": b64(b"\xff" * 32), "bound_at": bound.isoformat()}]
