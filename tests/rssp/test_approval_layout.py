"""docs/approval-layout.md, implemented from its tables alone: what they say is what rssp verifies, and no member that
they name can be changed behind the signer's back."""

import json
import re
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import fields, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rssp.activation import (
    ApprovedDigest,
    Assertion,
    BindingApproval,
    CreationApproval,
    DeletionApproval,
    SigningApproval,
    verify_activation,
    verify_binding_approval,
    verify_creation,
    verify_deletion,
)
from rssp.errors import ActivationRefusedError
from tests.support.authenticator import Authenticator, b64, unb64

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "approval-layout.md").read_text(encoding="utf-8")
CASES: list[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / "approval.json").read_text(encoding="utf-8"))[
    "cases"
]
RP_ID, ORIGIN, NOW = "localhost", "http://localhost:8000", int(time.time())


# --- The other implementation ---------------------------------------------------------------------------------


def read_tables() -> dict[str, list[tuple[str, str]]]:
    """(member, type) in order, by the kind that the table's second row names."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for section in PAGE.split("\n### ")[1:]:
        rows = re.findall(r"^\| `(\w+)` \| ([SPNHD]) \| (.*?) ?\|$", section.split("\n## ")[0], re.MULTILINE)
        kind = next(text for member, _, text in rows if member == "kind").strip("`")
        tables[kind] = [(member, type_) for member, type_, _ in rows]
    return tables


TABLES = read_tables()


def encode(type_: str, value: Any) -> bytes:
    if type_ == "N":
        return int(value).to_bytes(8, "big")
    if type_ == "D":
        parts = [encode("S", kind.lower()) + encode("P", digest) + encode("S", label) for kind, digest, label in value]
        return encode("N", len(parts)) + b"".join(parts)
    raw = value.encode() if type_ == "S" else sha256(value).digest() if type_ == "H" else value
    return len(raw).to_bytes(4, "big") + raw


def challenge_of(members: dict[str, Any]) -> bytes:
    return sha256(b"".join(encode(type_, members[name]) for name, type_ in TABLES[members["kind"]])).digest()


def members_of(case: dict[str, Any]) -> dict[str, Any]:
    """A vector's members as the tables name them, byte strings as bytes."""
    members = case | {"version": "paraph-approval/1", "nonce": unb64(case["nonce"])}
    if case.get("on_behalf_of"):
        members["kind"] = "credential-on-behalf"
    if case.get("signature_qualifier"):
        members["kind"] = "credential-by-qualifier"
    if "passkey_public_key" in case:
        members["passkey_public_key"] = unb64(case["passkey_public_key"])
    for name in {"bound_id", "bound_public_key"} & set(case):
        members[name] = unb64(case[name])
    if "document_digests" in case:
        members["document_digests"] = [
            (item["hash_type"], unb64(item["digest"]), item["label"]) for item in case["document_digests"]
        ]
    return members


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_page_alone_is_enough_to_compute_every_vector(case: dict[str, Any]) -> None:
    assert b64(challenge_of(members_of(case))) == case["challenge"]


def test_every_kind_on_the_page_has_a_vector() -> None:
    assert {members_of(case)["kind"] for case in CASES} == set(TABLES)


def test_the_example_on_the_page_is_the_first_vector() -> None:
    example = PAGE.split("## Example")[1].split("```")[1]
    lines = example.split("\n\n", maxsplit=1)[0].splitlines()
    written = "".join(re.sub(r"[^0-9a-f]", "", line[:73]) for line in lines)
    assert written == CASES[0]["approval_hex"]
    assert CASES[0]["challenge"] in example


# --- Mutations ------------------------------------------------------------------------------------------------

Approval = SigningApproval | CreationApproval | DeletionApproval | BindingApproval
SHAPES: dict[str, type[Approval]] = {
    "credential": SigningApproval,
    "credential-on-behalf": SigningApproval,
    "credential-by-qualifier": SigningApproval,
    "credential-creation": CreationApproval,
    "credential-deletion": DeletionApproval,
    "passkey-binding": BindingApproval,
}
# What the code calls some of the members that the tables name.
NAMES = {"sub": "subject", "document_digests": "digests"}
# Told to nobody: rssp has its own, or they follow from the rest.
OWN = {"version", "kind", "rp_id", "origin"}


def approved(kind: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "version": "paraph-approval/1",
        "kind": kind,
        "nonce": bytes(range(32)),
        "client_id": "paraph-gateway",
        "on_behalf_of": "elsewhere",
        "sub": "alice",
        "credential_id": "credential-1",
        "signature_qualifier": "paraph_demonstration",
        "num_signatures": 3,
        "hash_algorithm_oid": "2.16.840.1.101.3.4.2.1",
        "document_digests": [("dtbsr", b"\1" * 32, "Lease"), ("dtbsr", b"\1" * 32, "Lease"), ("sdr", b"\2" * 32, "")],
        "certificate_policy": "demonstration",
        "key_algorithm": "ec-p256",
        "common_name": "Alice",
        "email": "alice@example.org",
        "passkey_public_key": KEY.public_key,
        "revocation_reason": "keyCompromise",
        "action": "bind",
        "bound_id": OTHER_KEY.credential_id,
        "bound_public_key": OTHER_KEY.public_key,
        "rp_id": RP_ID,
        "origin": ORIGIN,
        "expires_at": NOW + 600,
    }
    return {name: members[name] for name, _ in TABLES[kind]}


KEY = Authenticator(rp_id=RP_ID, origin=ORIGIN)
OTHER_KEY = Authenticator(rp_id=RP_ID, origin=ORIGIN)


def told(members: dict[str, Any], assertion: Assertion) -> Approval:
    """What the authorization server tells, all of it as ``members`` say."""
    given = {NAMES.get(name, name): value for name, value in members.items() if name not in OWN}
    given |= {"assertion": assertion, "passkey_id": KEY.credential_id}
    if "digests" in given:
        given["digests"] = tuple(ApprovedDigest(*item) for item in given["digests"])
    return SHAPES[members["kind"]](**given)


def signed(members: dict[str, Any], key: Authenticator = KEY) -> Assertion:
    made = key.sign(challenge_of(members), rp_id=members["rp_id"], origin=members["origin"])
    return Assertion(made.authenticator_data, made.client_data_json, made.signature)


def verify(given: Approval) -> Any:
    """As a rssp would that has no other expectation than what it is told: the challenge alone must refuse."""
    if isinstance(given, CreationApproval):
        return verify_creation(given=given, expected_rp_id=RP_ID, expected_origin=ORIGIN, now=NOW)
    expected: dict[str, Any] = {
        "expected_credential_id": given.credential_id,
        "expected_subject": given.subject,
        "expected_passkey_id": given.passkey_id,
        "expected_public_key": KEY.public_key,
        "expected_rp_id": RP_ID,
        "expected_origin": ORIGIN,
        "now": NOW,
    }
    if isinstance(given, DeletionApproval):
        return verify_deletion(given=given, **expected)
    if isinstance(given, BindingApproval):
        return verify_binding_approval(given=given, **expected)
    expected |= {"expected_on_behalf_of": given.on_behalf_of, "expected_qualifier": given.signature_qualifier}
    return verify_activation(given=given, **expected)


def other_digests(digests: list[Any]) -> Iterator[list[Any]]:
    """Every digest with another hash type, digest or label; another order; one more, one less, one for another."""
    for index, (hash_type, digest, label) in enumerate(digests):
        changed: list[tuple[str, bytes, str]] = [
            ("sdr" if hash_type == "dtbsr" else "dtbsr", digest, label),
            (hash_type, digest[:-1] + bytes([digest[-1] ^ 1]), label),
            (hash_type, digest, label + " "),
        ]
        for item in changed:
            yield [*digests[:index], item, *digests[index + 1 :]]
        yield digests[:index] + digests[index + 1 :]
        yield [*digests, digests[index]]
    yield digests[::-1]
    yield [digests[0], digests[2], digests[2]]


def other_values(type_: str, value: Any) -> Iterator[Any]:
    if type_ == "D":
        yield from other_digests(value)
    elif type_ == "N":
        yield from (value + 1, value - 1)
    elif type_ == "S":
        yield from (value + "x", value[:-1], "~" + value[1:], "")
    else:
        yield from (value[:-1] + bytes([value[-1] ^ 1]), bytes([value[0] ^ 128]) + value[1:], value[:-1])


def mutations() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, what was approved, what is told): of every table, every member in turn, and pairs that must not trade."""
    for kind, table in TABLES.items():
        before = approved(kind)
        for name, type_ in table:
            if name in OWN:
                continue
            for index, value in enumerate(other_values(type_, before[name])):
                after = deepcopy(before) | {name: value}
                if type_ == "D" and len(value) != before["num_signatures"]:
                    # The count follows, so that it is the challenge that refuses.
                    after["num_signatures"] = len(value)
                yield f"{kind}: {name} {index}", before, after
        texts = [name for name, type_ in table if type_ == "S" and name not in OWN]
        for left, right in pairwise(texts):
            moved = {left: before[left] + before[right][:1], right: before[right][1:]}
            yield f"{kind}: {left} | {right}", before, before | moved
            yield f"{kind}: {left} <> {right}", before, before | {left: before[right], right: before[left]}


MUTATIONS = list(mutations())


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_what_was_approved_is_verified(kind: str) -> None:
    members = approved(kind)
    assert verify(told(members, signed(members))).nonce == members["nonce"]


@pytest.mark.parametrize(("before", "after"), [pair for _, *pair in MUTATIONS], ids=[name for name, *_ in MUTATIONS])
def test_no_member_can_be_changed(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before != after
    with pytest.raises(ActivationRefusedError):
        verify(told(after, signed(before)))


@pytest.mark.parametrize("kind", sorted(TABLES))
@pytest.mark.parametrize("change", [{"rp_id": "evil.example"}, {"origin": "https://evil.example"}, {"kind": ""}])
def test_what_rssp_has_of_its_own_cannot_be_chosen_by_who_makes_the_challenge(
    kind: str, change: dict[str, str]
) -> None:
    """Another relying party, another origin and each other kind, with an assertion that fits them."""
    members = approved(kind)
    changes = [change] if "kind" not in change else [{"kind": other} for other in TABLES if other != kind]
    for changed in changes:
        everything = {name: value for other in TABLES for name, value in approved(other).items()} | members
        with pytest.raises(ActivationRefusedError):
            verify(told(members, signed(everything | changed)))
    with pytest.raises(ActivationRefusedError):
        verify(told(members, signed(members | {"version": "paraph-approval/2"})))


def forged(members: dict[str, Any]) -> dict[str, Callable[[], Assertion]]:
    """What one who holds the authorization server, its keys and its database, and no passkey, can put there."""
    real = signed(members)
    return {
        "nothing": lambda: Assertion(b"", b"", b""),
        "another approval's": lambda: signed(members | {"nonce": bytes(32)}),
        "a passkey of one's own": lambda: signed(members, OTHER_KEY),
        "a signature by nobody": lambda: replace(real, signature=OTHER_KEY.sign(bytes(32)).signature),
        "the client data of this one around another's signature": lambda: replace(
            signed(members | {"nonce": bytes(32)}), client_data_json=real.client_data_json
        ),
    }


@pytest.mark.parametrize("kind", sorted(TABLES))
@pytest.mark.parametrize("forgery", sorted(forged(approved("credential"))))
def test_a_token_that_the_authorization_server_made_up_signs_nothing(kind: str, forgery: str) -> None:
    members = approved(kind)
    with pytest.raises(ActivationRefusedError):
        verify(told(members, forged(members)[forgery]()))


def test_another_passkey_s_key_in_a_creation_is_another_approval() -> None:
    members = approved("credential-creation")
    swapped = members | {"passkey_public_key": OTHER_KEY.public_key}
    for assertion in (signed(members), signed(members, OTHER_KEY), signed(swapped)):
        with pytest.raises(ActivationRefusedError):
            verify(told(swapped, assertion))


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_no_member_of_an_approval_is_outside_the_table(kind: str) -> None:
    """A field that the code reads and the challenge leaves out would be the authorization server's to choose."""
    beside = {"assertion", "passkey_id"}  # the evidence itself, and which binding to look it up by
    beside |= {"email_verified"} if kind == "credential-creation" else set()  # authz's word, said to be that
    # Empty: that is what makes the kind.
    beside |= {"on_behalf_of"} if kind in {"credential", "credential-by-qualifier"} else set()
    beside |= {"signature_qualifier"} if kind in {"credential", "credential-on-behalf"} else set()
    named = {NAMES.get(name, name) for name, _ in TABLES[kind]} - OWN
    assert {field.name for field in fields(SHAPES[kind])} - beside == named
