"""Authorization details: one frozen form, and everything that is not it refused."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from authz.authorization_details import (
    CREDENTIAL_TYPES,
    CredentialAuthorization,
    parse_authorization_details,
    parse_credential_parameters,
    write_authorization_details,
)
from authz.errors import InvalidAuthorizationDetailsError
from tests.authz.conftest import CREATION, DELETION, SHA256_OID, digest, signing_details
from tests.support.authenticator import b64

SHA512_OID = "2.16.840.1.101.3.4.2.3"


def parse(details: Any) -> Any:
    return parse_authorization_details(json.dumps(details))


@pytest.mark.parametrize("kind", CREDENTIAL_TYPES)
def test_both_type_names_are_read_and_answered_as_asked(kind: str) -> None:
    details = parse(signing_details("A", "B", type=kind))
    assert isinstance(details, CredentialAuthorization)
    assert details.num_signatures == 2
    assert write_authorization_details(details)[0]["type"] == kind


def test_a_hash_type_is_read_in_any_case_and_answered_as_asked() -> None:
    entry = signing_details("A")
    entry[0]["documentDigests"][0]["hashType"] = "DTBSR"
    details = parse(entry)
    assert details.document_digests[0].hash_type == "dtbsr"
    assert write_authorization_details(details)[0]["documentDigests"][0]["hashType"] == "DTBSR"


def test_a_digest_may_stand_twice() -> None:
    assert parse(signing_details("A", "A")).num_signatures == 2


def test_a_thousand_digests_are_read_and_one_more_is_refused() -> None:
    one = signing_details("A")[0]["documentDigests"]
    assert parse(signing_details(documentDigests=one * 1000)).num_signatures == 1000
    with pytest.raises(InvalidAuthorizationDetailsError):
        parse(signing_details(documentDigests=one * 1001))


def test_what_is_written_is_read_again() -> None:
    for details in (signing_details("A", "B", credentialLabel="Alice"), CREATION):
        value = parse(details)
        assert parse(write_authorization_details(value)) == value


def change(**members: Any) -> Callable[[], Any]:
    return lambda: [signing_details("A")[0] | members]


def change_digest(**members: Any) -> Callable[[], Any]:
    return lambda: [
        signing_details("A")[0] | {"documentDigests": [signing_details("A")[0]["documentDigests"][0] | members]}
    ]


@pytest.mark.parametrize(
    "make",
    [
        change(type="payment"),
        change(type=None),
        change(type=["credential"]),
        change(credentialID=""),
        change(credentialID=None),
        change(credentialID=7),
        change(credentialID="x" * 256),
        change(credentialID="a\nb"),
        change(hashAlgorithmOID="1.3.14.3.2.26"),
        change(hashAlgorithmOID="1.2.840.113549.2.5"),
        change(hashAlgorithmOID=SHA512_OID),
        change(hashAlgorithmOID=None),
        change(hashAlgorithmOID="SHA-256"),
        change(documentDigests=[]),
        change(documentDigests=None),
        change(documentDigests={"hash": "x"}),
        change(documentDigests=["x"]),
        change(documentDigests=[[]]),
        change(numSignatures=2),
        change(numSignatures=0),
        change(numSignatures=-1),
        change(numSignatures="1"),
        change(numSignatures=True),
        change(numSignatures=1.0),
        change(numSignatures=2**63),
        change(signatureQualifier="eu_eidas_qes"),
        change(subject={"commonName": "Mallory", "email": "m@example.org"}),
        change(credentialLabel=7),
        change(credentialLabel="x" * 501),
        change(locations="https://rssp.example"),
        change_digest(hash=None),
        change_digest(hash=7),
        change_digest(hash=""),
        change_digest(hash="not base64!"),
        change_digest(hash=base64.b64encode(bytes(31)).decode()),
        change_digest(hash=base64.b64encode(bytes(33)).decode()),
        change_digest(hash=base64.b64encode(bytes(64)).decode()),
        change_digest(hash=base64.b64encode(digest("A")).decode().rstrip("=")),
        change_digest(hash=base64.b64encode(digest("A")).decode() + "\n"),
        change_digest(hash=base64.urlsafe_b64encode(b"\xff" * 32).decode()),
        change_digest(hashType="sodr"),
        change_digest(hashType=""),
        change_digest(hashType=7),
        change_digest(label=None),
        change_digest(label="\ud800"),
        change_digest(label="a\0b"),
        change(locations=["\0"]),
        change_digest(signed_props=[]),
        list,
        dict,
        lambda: "credential",
        lambda: signing_details("A") * 2,
        lambda: [CREATION[0] | {"keyAlgorithm": "rsa-1024"}],
        lambda: [CREATION[0] | {"keyAlgorithm": None}],
        lambda: [CREATION[0] | {"certificatePolicy": ""}],
        lambda: [CREATION[0] | {"subject": {"commonName": "Mallory", "email": "m@example.org"}}],
        lambda: [CREATION[0] | {"extra": 1}],
        lambda: [DELETION[0] | {"extra": 1}],
        lambda: [DELETION[0] | {"credentialID": ""}],
        lambda: [DELETION[0] | {"revoke": "yes"}],
        lambda: [DELETION[0] | {"revocationReason": "superseded"}],
        lambda: [DELETION[0] | {"revoke": True, "revocationReason": "cACompromise"}],
        lambda: [DELETION[0] | {"revoke": True, "revocationReason": ["superseded"]}],
    ],
)
def test_details_that_are_not_of_the_form_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(InvalidAuthorizationDetailsError):
        parse(make())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "null",
        '[{"type": "credential", "type": "credential-creation"}]',
        '[{"type": NaN}]',
        "[" * 100_000 + "]" * 100_000,
        '[{"type": ' + "9" * 5000 + "}]",
        "[" + " " * 1_000_001 + "]",
        "\ufeff[]",
    ],
    ids=["empty", "cut", "null", "twice", "NaN", "deep", "long number", "long", "mark"],
)
def test_text_that_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidAuthorizationDetailsError):
        parse_authorization_details(text)


@pytest.mark.parametrize("name", ["hashes", "hash"])
@pytest.mark.parametrize(
    "encode",
    [b64, lambda value: base64.urlsafe_b64encode(value).decode(), lambda value: base64.b64encode(value).decode()],
)
def test_plain_parameters_stand_for_the_same_form(name: str, encode: Callable[[bytes], str]) -> None:
    values = [b"\xff" * 32, digest("B")]
    details = parse_credential_parameters(
        {
            "credentialID": "c",
            "numSignatures": "2",
            name: ",".join(map(encode, values)),
            "description": "Two",
            "hashAlgorithmOID": SHA256_OID,
        }
    )
    assert [item.digest for item in details.document_digests] == values
    assert {(item.hash_type, item.label) for item in details.document_digests} == {("dtbsr", "Two")}


def test_version_1_names_no_hash_algorithm_so_the_length_tells() -> None:
    details = parse_credential_parameters({"credentialID": "c", "numSignatures": "1", "hash": b64(bytes(48))})
    assert details.hash_algorithm_oid == "2.16.840.1.101.3.4.2.2"


@pytest.mark.parametrize(
    "changes",
    [
        {"credentialID": ""},
        {"numSignatures": "2"},
        {"numSignatures": "0"},
        {"numSignatures": "-1"},
        {"numSignatures": "1.0"},
        {"numSignatures": "١"},
        {"hashes": ""},
        {"hashes": "!!"},
        {"hashes": b64(bytes(31))},
        {"hashes": b64(bytes(20))},
        {"hash": b64(bytes(32))},
        {"hashAlgorithmOID": "1.3.14.3.2.26"},
        {"hashAlgorithmOID": SHA512_OID},
        {"description": "x" * 501},
    ],
)
def test_plain_parameters_that_do_not_fit_are_refused(changes: dict[str, str]) -> None:
    good = {"credentialID": "c", "numSignatures": "1", "hashes": b64(bytes(32)), "hashAlgorithmOID": SHA256_OID}
    parse_credential_parameters(good)
    with pytest.raises(InvalidAuthorizationDetailsError):
        parse_credential_parameters(good | changes)
