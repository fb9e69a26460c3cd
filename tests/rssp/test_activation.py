"""The security column: what a passkey approved is what is verified, and nothing beside it."""

import base64
import json
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from rssp import activation
from rssp.activation import (
    ApprovedDigest,
    Assertion,
    BindingApproval,
    CreationApproval,
    DeletionApproval,
    SigningApproval,
    layout,
    parse_creation_approval,
    parse_signing_approval,
    verify_activation,
    verify_creation,
)
from rssp.errors import ActivationExpiredError, ActivationRefusedError
from tests.support.authenticator import UP, UV, Authenticator, b64, unb64

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "approval.json").read_text(encoding="utf-8")
)["cases"]
RP_ID, ORIGIN = "localhost", "http://localhost:8000"
NOW = int(time.time())
SHA256_OID = "2.16.840.1.101.3.4.2.1"
NOTHING = Assertion(b"", b"", b"")


def from_vector(case: dict[str, Any]) -> SigningApproval | CreationApproval | DeletionApproval | BindingApproval:
    common = {name: case[name] for name in ("client_id", "expires_at")} | {
        "nonce": unb64(case["nonce"]),
        "subject": case["sub"],
        "passkey_id": b"id",
        "assertion": NOTHING,
    }
    if case["kind"] == "credential":
        digests = tuple(
            ApprovedDigest(item["hash_type"], unb64(item["digest"]), item["label"]) for item in case["document_digests"]
        )
        names = ("credential_id", "num_signatures", "hash_algorithm_oid")
        common |= {name: case.get(name, "") for name in ("on_behalf_of", "signature_qualifier")}
        return SigningApproval(digests=digests, **{name: case[name] for name in names}, **common)
    if case["kind"] == "credential-deletion":
        names = ("credential_id", "revocation_reason")
        return DeletionApproval(**{name: case[name] for name in names}, **common)
    if case["kind"] == "passkey-binding":
        bound = {name: unb64(case[name]) for name in ("bound_id", "bound_public_key")}
        return BindingApproval(credential_id=case["credential_id"], action=case["action"], **bound, **common)
    names = ("certificate_policy", "key_algorithm", "common_name", "email")
    key = unb64(case["passkey_public_key"])
    return CreationApproval(passkey_public_key=key, **{name: case[name] for name in names}, **common)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_layout_is_the_published_one_byte_for_byte(case: dict[str, Any]) -> None:
    given = from_vector(case)
    if isinstance(given, SigningApproval):
        approval = layout.write_signing_approval(given, case["rp_id"], case["origin"])
    elif isinstance(given, DeletionApproval):
        approval = layout.write_deletion_approval(given, case["rp_id"], case["origin"])
    elif isinstance(given, BindingApproval):
        approval = layout.write_binding_approval(given, case["rp_id"], case["origin"])
    else:
        approval = layout.write_creation_approval(given, case["rp_id"], case["origin"])
    assert approval.hex() == case["approval_hex"]


@pytest.fixture
def key() -> Authenticator:
    return Authenticator(rp_id=RP_ID, origin=ORIGIN)


def signing_approval(key: Authenticator, **changes: Any) -> SigningApproval:
    digests = (ApprovedDigest("dtbsr", bytes(32), "Lease.pdf"), ApprovedDigest("dtbsr", b"\1" * 32, "Annex.pdf"))
    plain = SigningApproval(
        nonce=bytes(range(32)),
        client_id="paraph-gateway",
        subject="alice",
        credential_id="credential-1",
        num_signatures=2,
        hash_algorithm_oid=SHA256_OID,
        digests=digests,
        expires_at=NOW + 600,
        passkey_id=key.credential_id,
        assertion=NOTHING,
    )
    return replace(plain, **changes)


def sign(key: Authenticator, given: Any, *, rp_id: str = RP_ID, origin: str = ORIGIN, **how: Any) -> Any:
    """The approval with the passkey's assertion over it."""
    build = {
        activation.SigningApproval: layout.write_signing_approval,
        activation.CreationApproval: layout.write_creation_approval,
        activation.DeletionApproval: layout.write_deletion_approval,
        activation.BindingApproval: layout.write_binding_approval,
    }[type(given)]
    assertion = key.sign(sha256(build(given, rp_id, origin)).digest(), **how)
    values = (assertion.authenticator_data, assertion.client_data_json, assertion.signature)
    return replace(given, assertion=Assertion(*values))


def verify(key: Authenticator, given: SigningApproval, **changes: Any) -> Any:
    expected = {
        "expected_credential_id": "credential-1",
        "expected_subject": "alice",
        "expected_passkey_id": key.credential_id,
        "expected_public_key": key.public_key,
        "expected_rp_id": RP_ID,
        "expected_origin": ORIGIN,
        "now": NOW,
    }
    return verify_activation(given=given, **(expected | changes))


def test_what_the_bound_passkey_approved_is_verified(key: Authenticator) -> None:
    verified = verify(key, sign(key, signing_approval(key)))
    assert verified.digests == (("dtbsr", bytes(32)), ("dtbsr", b"\1" * 32))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": bytes(32)},
        {"client_id": "mallory"},
        {"num_signatures": 1},
        {"num_signatures": 3},
        {"hash_algorithm_oid": "2.16.840.1.101.3.4.2.2"},
        {
            "digests": (
                ApprovedDigest("dtbsr", b"\2" * 32, "Lease.pdf"),
                ApprovedDigest("dtbsr", b"\1" * 32, "Annex.pdf"),
            )
        },
        {"digests": (ApprovedDigest("sdr", bytes(32), "Lease.pdf"), ApprovedDigest("dtbsr", b"\1" * 32, "Annex.pdf"))},
        {"digests": (ApprovedDigest("dtbsr", bytes(32), "Other"), ApprovedDigest("dtbsr", b"\1" * 32, "Annex.pdf"))},
        {"digests": (ApprovedDigest("dtbsr", bytes(32), "Lease.pdf"),) * 2},
        {"digests": (), "num_signatures": 0},
        {"expires_at": NOW + 601},
        {"passkey_id": b"another"},
        {"credential_id": "credential-2"},
        {"subject": "bob"},
    ],
)
def test_an_altered_approval_is_refused(key: Authenticator, changes: dict[str, Any]) -> None:
    with pytest.raises(ActivationRefusedError):
        verify(key, replace(sign(key, signing_approval(key)), **changes))


@pytest.mark.parametrize(
    "how",
    [
        {"flags": UP},
        {"flags": UV},
        {"flags": 0},
        {"rp_id": "evil.example"},
        {"origin": "https://evil.example"},
        {"type_": "webauthn.create"},
        {"extra_client_data": {"crossOrigin": True}},
        {"extra_client_data": {"topOrigin": "https://evil.example"}},
        {"extra_authenticator_data": b"\0"},
    ],
)
def test_an_assertion_made_elsewhere_or_without_its_owner_is_refused(key: Authenticator, how: dict[str, Any]) -> None:
    given = signing_approval(key)
    challenge = sha256(layout.write_signing_approval(given, RP_ID, ORIGIN)).digest()
    made = key.sign(challenge, **how)
    assertion = Assertion(made.authenticator_data, made.client_data_json, made.signature)
    with pytest.raises(ActivationRefusedError):
        verify(key, replace(given, assertion=assertion))


def test_an_approval_for_another_relying_party_is_refused_even_if_the_challenge_says_so(key: Authenticator) -> None:
    for place in ({"rp_id": "evil.example"}, {"origin": "https://evil.example"}):
        with pytest.raises(ActivationRefusedError):
            verify(key, sign(key, signing_approval(key), **place))


def test_another_passkey_s_assertion_and_a_flipped_bit_are_refused(key: Authenticator) -> None:
    mallory = Authenticator(rp_id=RP_ID, origin=ORIGIN, credential_id=key.credential_id)
    with pytest.raises(ActivationRefusedError):
        verify(key, sign(mallory, signing_approval(key)))
    given = sign(key, signing_approval(key))
    for name in ("authenticator_data", "client_data_json", "signature"):
        value = bytearray(getattr(given.assertion, name))
        value[-2] ^= 1
        with pytest.raises(ActivationRefusedError):
            verify(key, replace(given, assertion=replace(given.assertion, **{name: bytes(value)})))


def test_time_is_on_nobody_s_side(key: Authenticator) -> None:
    given = sign(key, signing_approval(key))
    verify(key, given, now=NOW + 599)
    with pytest.raises(ActivationExpiredError):
        verify(key, given, now=NOW + 600)
    with pytest.raises(ActivationRefusedError):
        verify(key, sign(key, signing_approval(key, expires_at=NOW + 961)))


def test_a_short_nonce_and_a_digest_of_another_length_are_refused_though_approved(key: Authenticator) -> None:
    short = (ApprovedDigest("dtbsr", bytes(31), ""), ApprovedDigest("dtbsr", bytes(32), ""))
    for changes in ({"nonce": bytes(31)}, {"digests": short}):
        with pytest.raises(ActivationRefusedError):
            verify(key, sign(key, signing_approval(key, **changes)))


def test_a_creation_binds_the_key_that_the_challenge_commits_to(key: Authenticator) -> None:
    plain = CreationApproval(
        nonce=bytes(range(32)),
        client_id="paraph-gateway",
        subject="alice",
        certificate_policy="demonstration",
        key_algorithm="ec-p256",
        common_name="Alice",
        email="alice@example.org",
        expires_at=NOW + 600,
        passkey_id=key.credential_id,
        passkey_public_key=key.public_key,
        assertion=NOTHING,
    )
    given = sign(key, plain)
    expected = {"expected_rp_id": RP_ID, "expected_origin": ORIGIN, "now": NOW}
    assert verify_creation(given=given, **expected).passkey_public_key == key.public_key
    mallory = Authenticator(rp_id=RP_ID, origin=ORIGIN)
    altered = [
        {"passkey_public_key": mallory.public_key},
        {"common_name": "Bob"},
        {"email": "bob@example.org"},
        {"certificate_policy": "other"},
        {"key_algorithm": "rsa-2048"},
        {"subject": "bob"},
    ]
    for changes in altered:
        with pytest.raises(ActivationRefusedError):
            verify_creation(given=replace(given, **changes), **expected)
    with pytest.raises(ActivationExpiredError):
        verify_creation(given=given, **(expected | {"now": NOW + 600}))


DETAIL = {
    "type": "credential",
    "credentialID": "credential-1",
    "hashAlgorithmOID": SHA256_OID,
    "documentDigests": [{"hash": base64.b64encode(bytes(32)).decode(), "hashType": "DTBSR"}],
}
APPROVAL = {
    "version": 1,
    "kind": "credential",
    "nonce": b64(bytes(32)),
    "expires_at": NOW,
    "passkey": {"id": b64(b"id")},
    "assertion": {"authenticator_data": "", "client_data_json": "", "signature": ""},
}


def test_an_answer_is_read_with_its_defaults() -> None:
    given = parse_signing_approval(client_id="c", subject="s", details=[DETAIL], approval=APPROVAL)
    assert (given.num_signatures, given.digests) == (1, (ApprovedDigest("dtbsr", bytes(32), ""),))


@pytest.mark.parametrize(
    ("detail", "approval"),
    [
        ({"type": "credential-creation"}, {}),
        ({"documentDigests": None}, {}),
        ({"documentDigests": [{"hash": "@@@@"}]}, {}),
        ({"documentDigests": [{"hash": "AAAA", "hashType": "sodr"}]}, {}),
        ({"numSignatures": True}, {}),
        ({"numSignatures": -1}, {}),
        ({"credentialID": "\ud800"}, {}),
        ({}, {"version": 2}),
        ({}, {"version": True}),
        ({}, {"kind": "credential-creation"}),
        ({}, {"nonce": "AA=="}),
        ({}, {"expires_at": "1"}),
        ({}, {"passkey": None}),
        ({}, {"assertion": {}}),
    ],
)
def test_an_answer_of_another_shape_is_refused(detail: dict[str, Any], approval: dict[str, Any]) -> None:
    with pytest.raises(ActivationRefusedError):
        parse_signing_approval(client_id="c", subject="s", details=[DETAIL | detail], approval=APPROVAL | approval)


@pytest.mark.parametrize("details", [None, [], [DETAIL, DETAIL], {}, "text"])
def test_an_answer_without_exactly_one_detail_or_without_an_approval_is_refused(details: Any) -> None:
    with pytest.raises(ActivationRefusedError):
        parse_signing_approval(client_id="c", subject="s", details=details, approval=APPROVAL)
    for parse in (parse_signing_approval, parse_creation_approval):
        with pytest.raises(ActivationRefusedError):
            parse(client_id="c", subject="s", details=[DETAIL], approval=None)


def test_an_approval_out_of_band_counts_for_the_client_it_was_asked_for(key: Authenticator) -> None:
    mine = {"client_id": "paraph-rssp", "on_behalf_of": "elsewhere"}
    given = sign(key, signing_approval(key, **mine))
    assert verify(key, given, expected_on_behalf_of="elsewhere").client_id == "paraph-rssp"
    refused: list[tuple[SigningApproval, str]] = [
        (given, ""),
        (given, "another"),
        (replace(given, on_behalf_of="another"), "another"),
        (replace(given, on_behalf_of=""), ""),
        (sign(key, signing_approval(key)), "elsewhere"),
    ]
    for other, expected in refused:
        with pytest.raises(ActivationRefusedError):
            verify(key, other, expected_on_behalf_of=expected)
    detail = DETAIL | {"onBehalfOf": "elsewhere"}
    read = parse_signing_approval(client_id="c", subject="s", details=[detail], approval=APPROVAL)
    assert read.on_behalf_of == "elsewhere"
