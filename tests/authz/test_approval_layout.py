"""The approval's bytes, against vectors that were computed apart from this code (docs/approval-layout.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from authz.approval import (
    build_binding_approval,
    build_creation_approval,
    build_deletion_approval,
    build_signing_approval,
    compute_challenge,
    format_fingerprint,
)
from tests.support.authenticator import b64, unb64

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "approval.json").read_text(encoding="utf-8")
)["cases"]


def build(case: dict[str, Any], **changes: Any) -> bytes:
    case = case | changes
    common = {name: case[name] for name in ("client_id", "sub", "rp_id", "origin", "expires_at")}
    common["nonce"] = unb64(case["nonce"])
    if case["kind"] == "credential":
        return build_signing_approval(
            on_behalf_of=case.get("on_behalf_of", ""),
            credential_id=case["credential_id"],
            signature_qualifier=case.get("signature_qualifier", ""),
            num_signatures=case["num_signatures"],
            hash_algorithm_oid=case["hash_algorithm_oid"],
            document_digests=[
                (item["hash_type"], unb64(item["digest"]), item["label"]) for item in case["document_digests"]
            ],
            **common,
        )
    if case["kind"] == "credential-deletion":
        names = ("credential_id", "revocation_reason")
        return build_deletion_approval(**{name: case[name] for name in names}, **common)
    if case["kind"] == "passkey-binding":
        return build_binding_approval(
            credential_id=case["credential_id"],
            action=case["action"],
            passkey_id=unb64(case["bound_id"]),
            passkey_public_key=unb64(case["bound_public_key"]),
            **common,
        )
    return build_creation_approval(
        certificate_policy=case["certificate_policy"],
        key_algorithm=case["key_algorithm"],
        common_name=case["common_name"],
        email=case["email"],
        passkey_public_key=unb64(case["passkey_public_key"]),
        **common,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_layout_is_the_published_one_byte_for_byte(case: dict[str, Any]) -> None:
    approval = build(case)
    assert approval.hex() == case["approval_hex"]
    assert b64(compute_challenge(approval)) == case["challenge"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_change_of_any_member_changes_the_challenge(case: dict[str, Any]) -> None:
    plain = {"name", "kind", "approval_hex", "challenge", "fingerprints", "document_digests"}
    for name in set(case) - plain:
        old = case[name]
        if isinstance(old, int):
            new: Any = old + 1
        elif name in {"nonce", "passkey_public_key", "bound_id", "bound_public_key"}:
            new = b64(bytes([unb64(old)[0] ^ 1]) + unb64(old)[1:])
        else:
            new = old + "x"
        assert compute_challenge(build(case, **{name: new})) != unb64(case["challenge"]), name


def test_an_approval_for_a_client_is_another_kind_than_one_that_a_client_asked_for() -> None:
    [case] = [case for case in CASES if case.get("on_behalf_of")]
    parts = {"on_behalf_of": "", "client_id": case["client_id"] + case["on_behalf_of"]}
    assert build(case, **parts) != build(case)
    assert build(case, on_behalf_of="") != build(case)


def test_an_approval_by_qualifier_is_another_kind_than_one_of_a_credential() -> None:
    [case] = [case for case in CASES if case.get("signature_qualifier")]
    parts = {"signature_qualifier": "", "credential_id": case["credential_id"] + case["signature_qualifier"]}
    assert build(case, **parts) != build(case)
    assert build(case, signature_qualifier="") != build(case)


def test_moving_characters_between_neighbours_changes_the_bytes() -> None:
    case = CASES[0]
    assert build(case, client_id="paraph-gatewa", sub="y" + case["sub"]) != build(case)


def test_order_and_multiplicity_of_digests_are_committed_to() -> None:
    case = CASES[1]
    digests = case["document_digests"]
    assert build(case, document_digests=digests[::-1]) != build(case)
    assert build(case, document_digests=digests[1:]) != build(case)


def test_the_fingerprint_is_eight_groups_of_four() -> None:
    for case in CASES[:3]:
        for item, fingerprint in zip(case["document_digests"], case["fingerprints"], strict=True):
            assert format_fingerprint(unb64(item["digest"])) == fingerprint
            assert len(fingerprint) == 39
