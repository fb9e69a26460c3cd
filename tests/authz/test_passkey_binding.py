"""The approval of a further passkey for a credential: what its page asks, and what its challenge commits to."""

import json
from typing import Any

import pytest

from authz.approval import build_binding_approval, compute_challenge
from authz.authorization_details import parse_authorization_details
from authz.errors import InvalidAuthorizationDetailsError
from authz.models import Consent, Passkey
from authz.services import passkeys
from tests.authz.conftest import BINDING, PASSWORD, Flow, Person, Pkce, Server, block, hidden, query
from tests.support.authenticator import Authenticator, b64, unb64


@pytest.fixture
def second(alice: Person) -> Authenticator:
    """Another passkey of Alice's."""
    key = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    key.user_handle = alice.user.sub.bytes
    passkeys.import_passkey(
        user=alice.user, credential_id=key.credential_id, public_key=key.public_key, name="Blue key"
    )
    return key


def row(key: Authenticator) -> Passkey:
    return Passkey.objects.get(credential_id=key.credential_id)


def answer(person: Person, location: str, meant: Authenticator, by: Authenticator, posted: int | None = None) -> Any:
    page = person.browser.get(location)
    (options,) = [item["options"] for item in block(page) if item["passkey"] == row(meant).pk]
    form = {
        "password": PASSWORD,
        "reference": hidden(page, "reference"),
        "response": json.dumps(by.get(options)),
        "passkey": row(meant).pk if posted is None else posted,
    }
    return person.browser.post(location, form)


def test_one_passkey_approves_another_and_the_token_names_it(
    alice: Person, second: Authenticator, flow: Flow, server: Server
) -> None:
    alice.log_in()
    pkce = Pkce()
    location = flow.open(alice, pkce, BINDING)
    page = alice.browser.get(location)
    assert "let another passkey sign" in page.content.decode()
    for item in block(page):
        # What is bound does not speak for itself.
        allowed = [each["id"] for each in item["options"]["allowCredentials"]]
        assert b64(bytes(Passkey.objects.get(pk=item["passkey"]).credential_id)) not in allowed
        assert len(allowed) == 1
    done = answer(alice, location, second, alice.key)
    granted = server.redeem(query(done["Location"])["code"], pkce).json()
    told = server.introspect(granted["access_token"])
    assert told["scope"] == granted["scope"] == "passkey-binding"
    assert told["authorization_details"] == [
        BINDING[0] | {"passkey": {"id": b64(second.credential_id), "publicKey": b64(second.public_key)}}
    ]
    evidence = told["paraph_approval"]
    assert evidence["kind"] == "passkey-binding"
    assert unb64(evidence["passkey"]["id"]) == alice.key.credential_id
    challenge = compute_challenge(
        build_binding_approval(
            nonce=unb64(evidence["nonce"]),
            client_id=told["client_id"],
            sub=told["sub"],
            credential_id="credential-1",
            action="bind",
            passkey_id=second.credential_id,
            passkey_public_key=second.public_key,
            rp_id=evidence["rp_id"],
            origin=evidence["origin"],
            expires_at=evidence["expires_at"],
        )
    )
    client_data = json.loads(unb64(evidence["assertion"]["client_data_json"]))
    assert unb64(client_data["challenge"]) == challenge


def test_what_the_page_did_not_ask_is_refused(alice: Person, bob: Person, second: Authenticator, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce(), BINDING)
    # Itself; another one than its challenge was about; somebody else's; none.
    assert answer(alice, location, second, second).status_code == 422
    assert answer(alice, location, second, alice.key, posted=row(alice.key).pk).status_code == 422
    assert answer(alice, location, second, alice.key, posted=row(bob.key).pk).status_code == 422
    assert answer(alice, location, second, alice.key, posted=0).status_code == 422
    assert Consent.objects.get().state == "pending"
    assert Consent.objects.get().details[0].get("passkey") is None
    assert "code" in query(answer(alice, location, second, alice.key)["Location"])


def test_with_one_passkey_there_is_nothing_to_bind(alice: Person, flow: Flow) -> None:
    alice.log_in()
    assert alice.browser.get(flow.open(alice, Pkce(), BINDING)).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "take"},
        {"action": None},
        {"credentialID": ""},
        {"passkey": {"id": "AA", "publicKey": "AA"}},
        {"more": 1},
        {"onBehalfOf": "x"},
    ],
)
def test_a_client_chooses_neither_the_passkey_nor_other_words(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidAuthorizationDetailsError):
        parse_authorization_details(json.dumps([BINDING[0] | changes]))
