"""The CSC API at its edges: bodies, headers, methods, texts of both versions, credentials made and described."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from rssp.error_responses import INVALID_REQUEST
from rssp.errors import HsmUnavailableError
from rssp.models import ActivatedDigest, AuditEvent, Certificate, Credential
from rssp.services import creating
from rssp.services.authority import prepare_authority
from rssp.services.hsm import get_hsm
from rssp.services.sweeping import sweep_ledger
from rssp.urls import NOT_BUILT
from tests.rssp.conftest import ALIAS, Signer, call, digest
from tests.rssp.remote import Remote, approve_creation

LEASE = digest("Lease")
WANTED = {"credentialCreationRequest": {"certificatePolicy": "demonstration", "keyAlgorithm": "ec-p256"}}


@pytest.mark.parametrize(
    "body",
    [
        b'{"credentialID": "a", "credentialID": "b"}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"{} x",
        b"[]",
        b'"text"',
        b"",
        b'{"a": "\xff"}',
    ],
)
def test_a_body_that_is_not_one_strict_object_is_refused_at_once(body: bytes) -> None:
    started = time.monotonic()
    answer = call("info", body)
    assert (answer.status_code, answer.json()["error_description"]) == (400, INVALID_REQUEST)
    assert time.monotonic() - started < 1


def test_another_content_type_and_a_long_body_are_refused() -> None:
    assert Client().post("/csc/v2/info", "{}", "text/plain").status_code == 400
    assert call("info", b'{"a": "' + b"a" * 2_100_000 + b'"}').status_code == 413


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
    ({"operationMode": "A"}, "Invalid parameter operationMode"),
    ({"credentialID": 1}, "Missing (or invalid type) string parameter credentialID"),
    ({"SAD": 1}, "Missing (or invalid type) string parameter SAD"),
]


@pytest.mark.parametrize(("members", "sentence"), SIGN_MISTAKES)
def test_each_mistake_of_sign_hash_has_its_sentence(
    alice: Signer, asked: list[bytes], members: dict[str, Any], sentence: str
) -> None:
    answer = alice.sign(alice.approve(LEASE), LEASE, **members)
    assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)
    assert asked == []


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


def test_one_approval_makes_one_credential(alice: Signer, remote: Remote) -> None:
    prepare_authority()
    token = approve_creation(remote, alice.key, alice.subject, "ec-p256")
    made = call("credentials/create", WANTED, token)
    assert made.status_code == 201, made.content
    alice.credential = Credential.objects.get(credential_id=made.json()["credentialID"])
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    assert call("credentials/create", WANTED, token).json()["error_description"] == "Invalid parameter SAD"


def test_what_was_not_approved_is_not_made_and_a_lost_hsm_spends_nothing(
    alice: Signer, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_authority()
    token = approve_creation(remote, alice.key, alice.subject, "ec-p256")
    other = {"credentialCreationRequest": {"certificatePolicy": "demonstration", "keyAlgorithm": "rsa-2048"}}
    assert call("credentials/create", other, token).json()["error_description"] == "Invalid parameter keyAlgorithm"

    class Gone:
        def verify_available(self) -> None:
            raise HsmUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(creating, "get_hsm", Gone)
        assert call("credentials/create", WANTED, token).status_code == 503
    assert call("credentials/create", WANTED, token).status_code == 201


def test_a_creation_that_fails_leaves_no_key(alice: Signer, remote: Remote) -> None:
    keys = set(get_hsm().list_key_ids())
    assert not Certificate.objects.filter(role="issuing").exists()
    token = approve_creation(remote, alice.key, alice.subject, "ec-p256")
    assert call("credentials/create", WANTED, token).status_code == 500
    assert set(get_hsm().list_key_ids()) == keys
    event = AuditEvent.objects.latest("sequence")
    assert event.result == "failed"
    assert "the key was destroyed" in event.reason


def test_the_sweep_releases_reservations_and_closes_intents(alice: Signer) -> None:
    alice.sign(alice.approve(LEASE, digest("Annex")), digest("Other"))
    first, second = ActivatedDigest.objects.order_by("position")
    long_ago = "2026-01-01T00:00:00Z"
    ActivatedDigest.objects.filter(pk=first.pk).update(state="reserved", reserved=long_ago)
    ActivatedDigest.objects.filter(pk=second.pk).update(state="intended", reserved=long_ago, intended=long_ago)
    assert sweep_ledger() == (1, 1)
    assert list(ActivatedDigest.objects.order_by("position").values_list("state", flat=True)) == [
        "authorised",
        "unknown",
    ]
    assert sweep_ledger() == (0, 0)


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_fifty_parallel_calls_make_one_signature(alice: Signer, asked: list[bytes]) -> None:
    token = alice.approve(LEASE)
    ready = threading.Barrier(50)

    def attempt(_: int) -> int:
        ready.wait()
        try:
            return int(alice.sign(token, LEASE).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        statuses = sorted(pool.map(attempt, range(50)))
    assert statuses == [200] + [400] * 49
    assert asked == [LEASE]
    assert AuditEvent.objects.filter(result="signed").count() == 1
