"""A user's credentials, and asking for new ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.models import CredentialRequest
from tests.gateway.conftest import User
from tests.gateway.remote import Remote


def _request(user: User, **changes: Any) -> Any:
    body = {"certificate_policy": "demonstration", "key_algorithm": "ec-p256", "state": "s" * 43, **changes}
    return user.call("POST", "credential-requests", body)


def _complete(user: User, request_id: str, code: str, iss: str = "http://localhost:8000/authz") -> Any:
    return user.call("POST", f"credential-requests/{request_id}/complete", {"code": code, "iss": iss})


def test_a_user_sees_the_users_own_credentials_alone(alice: User, bob: User, remote: Remote) -> None:
    mine = [remote.add_credential(alice.subject, kind) for kind in ("rsa", "p256")]
    remote.add_credential(bob.subject)
    listed = alice.call("GET", "credentials").json()["credentials"]
    assert [item["credential_id"] for item in listed] == mine
    assert listed[0].keys() == {
        *("credential_id", "description", "status", "cert_status", "key_algorithm", "subject", "common_name"),
        *("email", "issuer", "serial_number", "valid_from", "valid_to", "certificate_policy", "short_lived"),
    }
    assert [item["key_algorithm"] for item in listed] == ["rsa-2048", "ec-p256"]
    assert listed[0]["common_name"] == "Alice Example"
    assert listed[0]["email"] == ""


def test_the_address_that_a_certificate_carries_is_told(alice: User, remote: Remote) -> None:
    made = remote.add_credential(alice.subject)
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Alice")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("example.org"), x509.RFC822Name("alice@example.org")])
    der = builder.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    listed = []
    for chain in ([der], [b"no certificate"]):
        remote.credentials[made].identity = replace(remote.credentials[made].identity, certificate=der, chain=chain)
        listed.append(alice.call("GET", "credentials").json()["credentials"][0]["email"])
    assert listed == ["alice@example.org", ""]


def test_a_credential_that_wants_a_pin_is_none_of_ours(alice: User, remote: Remote) -> None:
    mine, explicit = (remote.add_credential(alice.subject) for _ in range(2))
    remote.credentials[explicit].auth_mode = "explicit"
    listed = alice.call("GET", "credentials").json()["credentials"]
    assert [item["credential_id"] for item in listed] == [mine]
    job = alice.open_job().json()["job_id"]
    refused = alice.call("POST", f"jobs/{job}/prepare", {"credential_id": explicit})
    assert (refused.status_code, refused.json()["error"]) == (409, "credential_not_usable")


def test_an_approved_request_makes_a_credential_once(alice: User, remote: Remote) -> None:
    asked = _request(alice)
    assert asked.status_code == 201
    code = remote.approve(asked.json()["authorization_url"], alice.subject)
    made = _complete(alice, asked.json()["request_id"], code)
    assert made.status_code == 201, made.content
    again = _complete(alice, asked.json()["request_id"], code)
    assert again.json() == made.json()
    assert (remote.calls["token"], remote.calls["create"]) == (1, 1)
    assert alice.call("GET", "credentials").json()["credentials"] == [made.json()]


def test_a_request_that_waits_is_no_credential_and_is_shown(alice: User, remote: Remote) -> None:
    remote.waits = True
    asked = _request(alice).json()
    code = remote.approve(asked["authorization_url"], alice.subject)
    made = _complete(alice, asked["request_id"], code)
    assert made.status_code == 202, made.content
    assert made.json() == {
        "credential_id": "waiting-1",
        "description": "Alice Example, EC P256, signer",
        "key_algorithm": "ec-p256",
        "certificate_policy": "signer",
        "state": "waiting",
        "reason": "",
        "requested_at": "2026-11-24T12:00:00+00:00",
        "expires_at": "2026-12-24T12:00:00+00:00",
        "identity_provider": "",
        "identified_by": "",
    }
    again = _complete(alice, asked["request_id"], code)
    assert (again.status_code, again.json()) == (202, made.json())
    assert remote.calls["create"] == 1
    remote.requests.append({"credentialID": "misshapen"})
    listed = alice.call("GET", "credentials").json()
    assert listed == {"credentials": [], "requests": [made.json()]}


def test_a_request_approved_by_somebody_else_makes_nothing(alice: User, bob: User, remote: Remote) -> None:
    asked = _request(alice).json()
    code = remote.approve(asked["authorization_url"], bob.subject)
    assert _complete(alice, asked["request_id"], code).json()["error"] == "approval_refused"
    assert remote.calls["create"] == 0
    assert CredentialRequest.objects.get().state == "failed"


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "credential"},
        {"authorization_details": [{"type": "credential-creation", "certificatePolicy": "other"}]},
        {"authorization_details": None},
    ],
)
def test_a_token_for_another_kind_of_credential_makes_nothing(
    alice: User, remote: Remote, changes: dict[str, Any]
) -> None:
    asked = _request(alice).json()
    remote.token_changes = changes
    code = remote.approve(asked["authorization_url"], alice.subject)
    assert _complete(alice, asked["request_id"], code).status_code == 403
    assert remote.calls["create"] == 0


def test_an_answer_from_another_issuer_redeems_nothing(alice: User, remote: Remote) -> None:
    asked = _request(alice).json()
    code = remote.approve(asked["authorization_url"], alice.subject)
    assert _complete(alice, asked["request_id"], code, "https://evil.example").status_code == 403
    assert remote.calls["token"] == 0


@pytest.mark.parametrize("changes", [{"key_algorithm": "rsa-1024"}, {"key_algorithm": 7}, {"state": "x"}])
def test_a_misshapen_request_is_refused(alice: User, remote: Remote, changes: dict[str, Any]) -> None:
    assert _request(alice, **changes).status_code == 400
    assert remote.calls["pushed_authorize"] == 0
