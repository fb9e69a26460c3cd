"""The CSC API at its edges: bodies, headers, methods, texts of both versions, credentials made and described."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from rssp.error_responses import INVALID_REQUEST
from rssp.models import AuditEvent
from rssp.urls import NOT_BUILT
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.support.softhsm import read_calls

LEASE = digest("Lease")
WANTED = {"credentialCreationRequest": {"certificatePolicy": "demonstration", "keyAlgorithm": "ec-p256"}}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer a b", "Bearer a, Bearer b"])
def test_a_malformed_header_has_each_version_s_own_sentence(version: int, header: str) -> None:
    sentence = {1: INVALID_REQUEST, 2: "Malformed authorization header."}[version]
    for method in ("credentials/list", "credentials/info", "signatures/signHash"):
        headers = {"Authorization": header} if header else {}
        answer = Client().post(f"/csc/v{version}/{method}", "{}", "application/json", headers=headers)
        assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)


def test_an_unknown_token_is_401_and_an_absent_server_503(alice: Signer) -> None:
    answer = call("credentials/list", {}, "unknown")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert "Bearer" in answer["WWW-Authenticate"]
    import httpx

    alice.remote.failure = httpx.ConnectError("away")
    answer = call("credentials/list", {}, "unknown")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    "lie", [{"iss": "https://evil.example"}, {"aud": ["elsewhere"]}, {"active": 1}, {"exp": 1}, {"sub": ""}]
)
def test_a_token_of_elsewhere_opens_nothing(alice: Signer, lie: dict[str, Any]) -> None:
    assert call("credentials/list", {}, alice.log_in(**lie)).status_code == 401


def test_other_http_methods_are_405_and_unbuilt_methods_501() -> None:
    for method in ("get", "put", "delete", "patch"):
        answer = getattr(Client(), method)("/csc/v2/signatures/signHash")
        assert (answer.status_code, answer["Content-Type"]) == (405, "application/json")
    for version, methods in NOT_BUILT.items():
        for method in methods:
            assert call(method, {}, version=version).status_code == 501


SIGN_MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"hashes": None}, "Missing (or invalid type) array parameter hash"),
    ({"hashes": "AAAA"}, "Missing (or invalid type) array parameter hash"),
    ({"hashes": []}, "Empty hash array"),
    ({"hashes": ["@"]}, "Invalid Base64 hash string parameter"),
    ({"hashes": [["AAAA"]]}, "Invalid Base64 hash string parameter"),
    ({"hashes": [""]}, "Invalid Base64 hash string parameter"),
    ({"hashes": ["AAAA\n"]}, "Invalid Base64 hash string parameter"),
    ({"hashes": ["A" * 1_048_577]}, "Invalid Base64 hash string parameter"),
    ({"hashes": ["AAAA"]}, "Invalid digest value length"),
    ({"hashes": ["AAAA"] * 10_001}, "Numbers of signatures is too high"),
    ({"signAlgo": None}, "Missing (or invalid type) string parameter signAlgo"),
    ({"signAlgo": "1.2.840.113549.1.1.11"}, "Invalid parameter signAlgo"),
    ({"signAlgo": "1.2.840.113549.1.1.5"}, "Invalid parameter signAlgo"),
    ({"clientData": 1}, "Invalid parameter clientData"),
    ({"operationMode": "X"}, "Invalid parameter operationMode"),
    ({"credentialID": 1}, "Missing (or invalid type) string parameter credentialID"),
    ({"SAD": 1}, "Missing (or invalid type) string parameter SAD"),
]


@pytest.mark.parametrize(("members", "sentence"), SIGN_MISTAKES)
def test_each_mistake_of_sign_hash_has_its_sentence(
    alice: Signer, asked: Asked, members: dict[str, Any], sentence: str
) -> None:
    answer = alice.sign(alice.approve(LEASE), LEASE, **members)
    assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)
    assert asked.count == 0


def test_credentials_are_listed_and_described_for_their_owner_alone(alice: Signer, bob: Signer) -> None:
    service = alice.log_in()
    own = alice.credential.credential_id
    body = {"credentialInfo": True, "certificates": "chain", "certInfo": True, "onlyValid": True}
    listed = call("credentials/list", body, service).json()
    assert (listed["credentialIDs"], listed["onlyValid"]) == ([own], True)
    described = call("credentials/info", {"credentialID": own, "certInfo": True}, service).json()
    assert described["auth"] == {"mode": "oauth2code", "objects": []}
    assert (described["SCAL"], described["multisign"], described["key"]["status"]) == ("2", 1000, "enabled")
    assert call("credentials/info", {"credentialID": own}, service, version=1).json()["authMode"] == "oauth2code"
    foreign = call("credentials/info", {"credentialID": bob.credential.credential_id}, service)
    assert foreign.json()["error_description"] == "Invalid parameter credentialID"
    assert call("credentials/info", {"credentialID": own}, alice.approve(LEASE)).status_code == 200
    assert call("credentials/list", {}, alice.approve(LEASE)).status_code == 403
    for version in (1, 2):
        answer = call("credentials/list", {"userID": "alice"}, service, version=version)
        assert answer.json()["error_description"] == "userID parameter MUST be null"


def test_info_names_exactly_one_authorization_server() -> None:
    first, second = (call("info", {}, version=version).json() for version in (1, 2))
    assert "oauth2" in first
    assert "oauth2Issuer" not in first
    assert "oauth2Issuer" in second
    assert "oauth2" not in second
    assert len(second["signAlgorithms"]["algos"]) == len(second["signAlgorithms"]["algoParams"])


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_fifty_parallel_calls_make_one_signature(alice: Signer, asked: Asked) -> None:
    token = alice.approve(LEASE)
    ready = threading.Barrier(50)
    before = read_calls().count("C_SignInit")

    def attempt(_: int) -> int:
        ready.wait()
        try:
            return int(alice.sign(token, LEASE).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        statuses = sorted(pool.map(attempt, range(50)))
    assert statuses == [200] + [400] * 49
    assert read_calls().count("C_SignInit") == before + 1
    assert AuditEvent.objects.filter(result="signed").count() == 1
