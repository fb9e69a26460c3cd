"""Each mistake has the specification's own sentence, in both versions, and no mistake costs a signature."""

import base64
from typing import Any

import pytest
from django.test import Client

from rssp.algorithms import HASH_OIDS, RSA_ENCRYPTION, RSASSA_PSS
from rssp.error_responses import INVALID_REQUEST
from rssp.models import Activation
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.test_algorithms import pss

LEASE = digest("Lease")
SHA256, SHA384 = HASH_OIDS["sha256"], HASH_OIDS["sha384"]
SHA1, MD5 = "1.3.14.3.2.26", "1.2.840.113549.2.5"
HASH_PARAMETER = {1: "hashAlgo", 2: "hashAlgorithmOID"}
ENCODED = base64.b64encode(LEASE).decode()
both_versions = pytest.mark.parametrize("version", [1, 2])


def encode(params: bytes) -> str:
    return base64.b64encode(params).decode()


@pytest.fixture
def rsa_alice(alice: Signer) -> Signer:
    alice.own_credential("rsa-2048")
    return alice


def refused(answer: Any, sentence: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_description"]) == (400, "invalid_request", sentence)


@both_versions
def test_what_names_no_usable_algorithm_is_refused_by_name(rsa_alice: Signer, asked: Asked, version: int) -> None:
    name = HASH_PARAMETER[version]
    service, sad = rsa_alice.log_in(), rsa_alice.approve(LEASE)
    missing = "Missing (or invalid type) string parameter"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"signAlgo": RSA_ENCRYPTION}, f"{missing} {name}"),
        ({"signAlgo": RSA_ENCRYPTION, name: 7}, f"{missing} {name}"),
        ({"signAlgo": RSA_ENCRYPTION, name: ""}, f"{missing} {name}"),
        ({"signAlgo": RSA_ENCRYPTION, name: SHA1}, f"Invalid parameter {name}"),
        ({"signAlgo": RSA_ENCRYPTION, name: MD5}, f"Invalid parameter {name}"),
        ({"signAlgo": RSA_ENCRYPTION, name: "sha256"}, f"Invalid parameter {name}"),
        ({"signAlgo": RSA_ENCRYPTION, HASH_PARAMETER[3 - version]: SHA256}, f"{missing} {name}"),
        ({"signAlgo": RSASSA_PSS, name: SHA256}, f"{missing} signAlgoParams"),
        ({"signAlgo": RSASSA_PSS, "signAlgoParams": 1}, f"{missing} signAlgoParams"),
        ({"signAlgo": RSASSA_PSS, "signAlgoParams": "@"}, "Invalid parameter signAlgoParams"),
        ({"signAlgo": RSASSA_PSS, "signAlgoParams": "AAAA"}, "Invalid parameter signAlgoParams"),
        ({"signAlgo": RSASSA_PSS, "signAlgoParams": "MAA="}, "Invalid parameter signAlgoParams"),  # SHA-1 throughout
        ({"signAlgo": RSASSA_PSS, "signAlgoParams": encode(pss("sha1", salt=20))}, "Invalid parameter signAlgoParams"),
        ({"signAlgo": RSASSA_PSS, "signAlgoParams": encode(pss("sha256", salt=8))}, "Invalid parameter signAlgoParams"),
        (
            {"signAlgo": RSASSA_PSS, "signAlgoParams": encode(pss("sha256", salt=32)), name: SHA384},
            "Invalid parameter signAlgoParams",
        ),
        ({"signAlgo": "1.2.840.113549.1.1.5"}, "Invalid parameter signAlgo"),
        ({"signAlgo": "1.2.840.113549.1.1.4"}, "Invalid parameter signAlgo"),
        ({"signAlgo": "1.2.840.10045.4.3.2"}, "Invalid parameter signAlgo"),
        ({"signAlgo": "RSA"}, "Invalid parameter signAlgo"),
    ]
    for members, sentence in cases:
        refused(rsa_alice.sign(service, LEASE, version=version, SAD=sad, **members), sentence)
    assert asked.count == 0


@both_versions
def test_a_hash_that_was_not_approved_is_refused(rsa_alice: Signer, asked: Asked, version: int) -> None:
    service, sad = rsa_alice.log_in(), rsa_alice.approve(LEASE)
    longer = {"hash" if version == 1 else "hashes": [base64.b64encode(bytes(48)).decode()]}
    for members in (
        {"signAlgo": RSA_ENCRYPTION, HASH_PARAMETER[version]: SHA384},
        {"signAlgo": "1.2.840.113549.1.1.12"},
    ):
        refused(rsa_alice.sign(service, LEASE, version=version, SAD=sad, **members), "Invalid digest value length")
        refused(
            rsa_alice.sign(service, version=version, SAD=sad, **members | longer), "Hash is not authorized by the SAD."
        )
    assert asked.count == 0


@both_versions
def test_what_the_algorithm_implies_may_be_said_twice_and_is_ignored(
    rsa_alice: Signer, asked: Asked, version: int
) -> None:
    service = rsa_alice.log_in()
    params = encode(pss("sha256", salt=32))
    for members in (
        {HASH_PARAMETER[version]: SHA256},
        {HASH_PARAMETER[version]: SHA1},
        {"signAlgo": RSASSA_PSS, "signAlgoParams": params},
        {"signAlgo": RSASSA_PSS, "signAlgoParams": params, HASH_PARAMETER[version]: SHA256},
        {"signAlgo": RSA_ENCRYPTION, HASH_PARAMETER[version]: SHA256},
    ):
        answer = rsa_alice.sign(service, LEASE, version=version, SAD=rsa_alice.approve(LEASE), **members)
        assert answer.status_code == 200, answer.content
    assert asked.count == 5


@both_versions
def test_a_digest_in_another_base64_is_refused(alice: Signer, asked: Asked, version: int) -> None:
    urlsafe = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    assert urlsafe != base64.b64encode(b"\xff" * 32).decode()
    service, sad = alice.log_in(), alice.approve(LEASE, b"\xff" * 32)
    for text in (
        *(urlsafe, ENCODED.rstrip("="), ENCODED + "=", ENCODED[:20] + "\n" + ENCODED[20:], f" {ENCODED}", "", "@"),
        *("A" * (1 << 20), LEASE.hex() + "é", None, 1, [ENCODED], {"hash": ENCODED}),
    ):
        hashes = {{1: "hash", 2: "hashes"}[version]: [text]}
        sentence = "Invalid digest value length" if text == "A" * (1 << 20) else "Invalid Base64 hash string parameter"
        refused(alice.sign(service, version=version, SAD=sad, **hashes), sentence)
    assert asked.count == 0


@both_versions
def test_the_header_is_read_once_and_in_any_case(alice: Signer, version: int) -> None:
    token = alice.log_in()
    sentence = {1: INVALID_REQUEST, 2: "Malformed authorization header."}[version]
    for header in (
        f"Bearer {token}, Bearer {token}",
        f"Bearer {token},Bearer other",
        f"Bearer {token} x",
        f"Token {token}",
    ):
        answer = Client().post(
            f"/csc/v{version}/credentials/list", "{}", "application/json", headers={"Authorization": header}
        )
        refused(answer, sentence)
    for header in (f"bearer {token}", f"BEARER {token}", f"bEaReR  {token}"):
        answer = Client().post(
            f"/csc/v{version}/credentials/list", "{}", "application/json", headers={"Authorization": header}
        )
        assert answer.status_code == 200


@both_versions
def test_what_stands_in_the_address_or_a_form_is_no_parameter(alice: Signer, asked: Asked, version: int) -> None:
    token, own = alice.log_in(), alice.credential.credential_id
    address = f"/csc/v{version}/credentials/info"
    headers = {"Authorization": f"Bearer {token}"}
    nothing = Client().post(f"{address}?credentialID={own}", "{}", "application/json", headers=headers)
    refused(nothing, "Missing (or invalid type) string parameter credentialID")
    both = Client().post(
        f"{address}?credentialID=other&access_token={token}",
        f'{{"credentialID": "{own}"}}',
        "application/json",
        headers=headers,
    )
    assert both.status_code == 200
    refused(
        Client().post(f"{address}?access_token={token}", "{}", "application/json"),
        {1: INVALID_REQUEST, 2: "Malformed authorization header."}[version],
    )
    refused(Client().post(address, {"credentialID": own}, headers=headers), INVALID_REQUEST)


@both_versions
def test_other_http_methods_are_405_whatever_they_say_of_themselves(alice: Signer, asked: Asked, version: int) -> None:
    token = alice.approve(LEASE)
    headers = {"Authorization": f"Bearer {token}", "X-HTTP-Method-Override": "POST"}
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"):
        for path in ("info", "credentials/list", "signatures/signHash"):
            answer = Client().generic(
                method, f"/csc/v{version}/{path}?_method=POST", b"{}", "application/json", headers=headers
            )
            assert (answer.status_code, answer["Allow"]) == (405, "POST"), (method, path)
            assert token.encode() not in answer.content
    hidden = Client().post(f"/csc/v{version}/info?_method=DELETE", "{}", "application/json")
    assert hidden.status_code == 200
    assert asked.count == 0


@both_versions
def test_an_approval_that_has_run_out_is_named_as_such(alice: Signer, asked: Asked, version: int) -> None:
    service = alice.log_in()
    late = alice.approve(LEASE, expires_at=1_700_000_000)
    refused(alice.sign(service, LEASE, version=version, SAD=late), "SAD expired")
    known = alice.approve(LEASE)
    assert alice.sign(service, digest("Other"), version=version, SAD=known).status_code == 400
    alice.remote.tokens[known] = {"active": False}
    refused(alice.sign(service, LEASE, version=version, SAD=known), "Invalid parameter SAD")  # revoked, not expired
    Activation.objects.update(expires="2026-01-01T00:00:00Z")
    refused(alice.sign(service, LEASE, version=version, SAD=known), "SAD expired")
    assert asked.count == 0


def test_the_list_of_version_1_comes_in_pages(alice: Signer, bob: Signer) -> None:
    first = alice.credential.credential_id
    second, third = (alice.own_credential().credential_id for _ in range(2))
    token = alice.log_in()

    def listed(**body: Any) -> Any:
        return call("credentials/list", body, token, version=1)

    assert listed().json() == {"credentialIDs": [first, second, third]}
    page = listed(maxResults=2).json()
    assert page["credentialIDs"] == [first, second]
    assert listed(maxResults=2, pageToken=page["nextPageToken"]).json() == {"credentialIDs": [third]}
    for odd in (0, -1, 10**9, "2", True, 1.5, None):
        assert listed(maxResults=odd).json() == {"credentialIDs": [first, second, third]}
    for bad in ("", "unknown", bob.credential.credential_id, 7, [first]):
        refused(listed(pageToken=bad), "Invalid parameter pageToken")
