"""What a code, an issuer or a token must be before a job counts as approved."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connections

from gateway.models import Job
from tests.gateway.conftest import ALIAS, User
from tests.gateway.remote import Remote


def _asked(user: User, remote: Remote, job_id: str) -> str:
    return remote.approve(user.ask(job_id).json()["authorization_url"], user.subject)


@pytest.mark.parametrize(
    ("headers", "changes"),
    [
        ({"HTTP_AUTHORIZATION": ""}, {}),
        ({"HTTP_AUTHORIZATION": "Basic YTpi"}, {}),
        ({"HTTP_AUTHORIZATION": "Bearer"}, {}),
        ({"HTTP_AUTHORIZATION": "Bearer nobody"}, {}),
        ({"HTTP_AUTHORIZATION": "Bearer " + "x" * 5000}, {}),
        ({}, {"active": False}),
        ({}, {"active": "true"}),
        ({}, {"iss": "https://evil.example/authz"}),
        ({}, {"aud": ["https://elsewhere.example"]}),
        ({}, {"aud": None}),
        ({}, {"scope": "openid"}),
        ({}, {"scope": "credential"}),
        ({}, {"scope": "servicex"}),
        ({}, {"sub": ""}),
        ({}, {"sub": None}),
        ({}, {"exp": 1}),
        ({}, {"exp": None}),
    ],
)
def test_a_token_that_is_not_a_live_service_token_for_us_opens_nothing(
    alice: User, remote: Remote, headers: dict[str, str], changes: dict[str, Any]
) -> None:
    alice.token = remote.log_in(alice.subject, **changes)
    response = alice.call("GET", "credentials", **headers)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert remote.calls["list"] == 0


@pytest.mark.parametrize("answer", [httpx.ConnectError("down"), httpx.ReadTimeout("slow"), httpx.Response(500)])
def test_without_introspection_nobody_is_let_in(
    alice: User, remote: Remote, answer: httpx.Response | Exception
) -> None:
    remote.introspection_answer = answer
    response = alice.call("GET", "credentials")
    assert (response.status_code, response.json()["error"]) == (503, "authorization_server_unavailable")
    assert response["Retry-After"]


def test_an_answer_from_another_issuer_redeems_nothing(alice: User, remote: Remote, prepared: str) -> None:
    code = _asked(alice, remote, prepared)
    response = alice.complete(prepared, code, iss="https://evil.example/authz")
    assert (response.status_code, response.json()["error"]) == (403, "approval_refused")
    assert remote.calls["token"] == 0
    assert alice.complete(prepared, code).json()["state"] == "approved"


def test_the_same_answer_again_redeems_nothing(alice: User, remote: Remote, prepared: str) -> None:
    code = _asked(alice, remote, prepared)
    assert alice.complete(prepared, code).status_code == 202
    again = alice.complete(prepared, code)
    assert (again.status_code, again.json()["state"]) == (202, "approved")
    assert remote.calls["token"] == 1


@pytest.mark.django_db(transaction=True, databases=[ALIAS, "default"])
def test_many_simultaneous_answers_redeem_the_code_once(alice: User, remote: Remote, prepared: str) -> None:
    code = _asked(alice, remote, prepared)

    def complete(_number: int) -> int:
        try:
            return int(alice.complete(prepared, code).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(complete, range(8)))
    assert statuses == [202] * 8
    assert remote.calls["token"] == 1
    assert alice.job(prepared)["state"] == "approved"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "00000000-0000-0000-0000-000000000000"},
        {"scope": "service"},
        {"scope": "credential service"},
        {"authorization_details": None},
        {"authorization_details": []},
        {"authorization_details": [{"type": "credential"}]},
        {"sub": None},
        {"token_type": "SAD"},
        {"expires_in": 0},
    ],
)
def test_a_token_for_something_else_approves_nothing(
    alice: User, remote: Remote, prepared: str, changes: dict[str, Any]
) -> None:
    code = _asked(alice, remote, prepared)
    remote.token_changes = changes
    response = alice.complete(prepared, code)
    assert (response.status_code, response.json()["error"]) == (403, "approval_refused")
    job = Job.objects.get(pk=prepared)
    assert (job.state, job.token) == ("authorizing", "")


@pytest.mark.parametrize("change", ["digest", "added", "hash_type", "credential", "label"])
def test_a_token_with_other_digests_approves_nothing(alice: User, remote: Remote, prepared: str, change: str) -> None:
    code = _asked(alice, remote, prepared)
    job = alice.job(prepared)
    document = {"hash": job["digest"], "label": job["label"], "hashType": "dtbsr"}
    detail: dict[str, Any] = {
        "type": "credential",
        "credentialID": job["credential_id"],
        "numSignatures": 1,
        "hashAlgorithmOID": job["hash_algorithm_oid"],
        "documentDigests": [document],
        "credentialLabel": Job.objects.get(pk=prepared).credential_label,
    }
    match change:
        case "digest":
            document["hash"] = "A" * 43 + "="
        case "added":
            detail["documentDigests"] = [document, {**document, "hash": "A" * 43 + "="}]
        case "hash_type":
            document["hashType"] = "sdr"
        case "credential":
            detail["credentialID"] = "another"
        case "label":
            document["label"] = "Harmless.pdf"
    remote.token_changes = {"authorization_details": [detail]}
    assert alice.complete(prepared, code).json()["error"] == "approval_refused"


def test_a_code_for_another_users_approval_approves_nothing(
    alice: User, bob: User, remote: Remote, prepared: str
) -> None:
    code = remote.approve(alice.ask(prepared).json()["authorization_url"], bob.subject)
    assert alice.complete(prepared, code).json()["error"] == "approval_refused"


def test_a_code_from_another_jobs_approval_approves_nothing(
    alice: User, remote: Remote, prepared: str, credential_id: str
) -> None:
    other = alice.open_job().json()["job_id"]
    alice.prepare(other, credential_id)
    code = _asked(alice, remote, other)
    alice.ask(prepared)
    response = alice.complete(prepared, code)
    assert (response.status_code, response.json()["error"]) == (410, "approval_expired")


def test_an_unknown_code_asks_for_a_new_approval_and_a_new_approval_works(
    alice: User, remote: Remote, prepared: str
) -> None:
    alice.ask(prepared)
    assert alice.complete(prepared, "made-up").status_code == 410
    assert alice.job(prepared)["state"] == "authorizing"
    assert alice.complete(prepared, _asked(alice, remote, prepared)).json()["state"] == "approved"


def test_the_approval_asked_for_first_is_worth_nothing_after_a_second(
    alice: User, remote: Remote, prepared: str
) -> None:
    first = _asked(alice, remote, prepared)
    alice.ask(prepared)
    assert alice.complete(prepared, first).status_code == 410


def test_preparing_again_voids_the_approval_that_was_asked_for(
    alice: User, remote: Remote, prepared: str, credential_id: str
) -> None:
    code = _asked(alice, remote, prepared)
    before = alice.job(prepared)["digest"]
    assert alice.prepare(prepared, credential_id, reason="Another reason").json()["digest"] != before
    response = alice.complete(prepared, code)
    assert (response.status_code, response.json()["error"]) == (409, "wrong_state")
    assert remote.calls["token"] == 0


def test_a_code_that_could_not_be_sent_may_be_sent_again(alice: User, remote: Remote, prepared: str) -> None:
    code = _asked(alice, remote, prepared)
    remote.token_failure = httpx.ConnectError("down")
    assert alice.complete(prepared, code).status_code == 503
    assert alice.complete(prepared, code).json()["state"] == "approved"


def test_a_code_whose_answer_was_lost_is_not_sent_again(alice: User, remote: Remote, prepared: str) -> None:
    code = _asked(alice, remote, prepared)
    remote.token_failure = httpx.ReadTimeout("slow")
    assert alice.complete(prepared, code).json()["error"] == "authorization_server_unavailable"
    assert alice.complete(prepared, code).json()["state"] == "authorizing"
    assert remote.calls["token"] == 1


def test_steps_out_of_order_are_refused(alice: User, remote: Remote, credential_id: str) -> None:
    job_id = alice.open_job().json()["job_id"]
    for response in (alice.ask(job_id), alice.complete(job_id, "code"), alice.call("GET", f"jobs/{job_id}/result")):
        assert response.status_code == 409
    assert alice.call("GET", f"jobs/{job_id}/result").json()["error"] == "not_signed_yet"


def test_an_approved_job_is_neither_prepared_nor_asked_for_nor_deleted(
    alice: User, approved: str, credential_id: str
) -> None:
    for response in (
        alice.prepare(approved, credential_id),
        alice.ask(approved),
        alice.call("DELETE", f"jobs/{approved}"),
    ):
        assert (response.status_code, response.json()["error"]) == (409, "wrong_state")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"state": "short"}',
        '{"state": 7}',
        '{"state": null}',
        '{"state": "' + "s" * 600 + '"}',
        '{"state": "' + "s" * 43 + '", "state": "' + "t" * 43 + '"}',
        '{"state": NaN}',
        "[" * 100_000,
        '{"state": "' + "s" * 70_000 + '"}',
        '{"state": "\\ud800' + "s" * 43 + '"}',
    ],
)
def test_a_misshapen_body_is_a_bad_request(alice: User, prepared: str, body: str) -> None:
    started = time.monotonic()
    response = alice.call("POST", f"jobs/{prepared}/authorization", body)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("bend", ["disabled", "revoked", "expired", "foreign", "unknown"])
def test_a_credential_that_cannot_sign_prepares_nothing(
    alice: User, bob: User, remote: Remote, credential_id: str, bend: str
) -> None:
    job_id = alice.open_job().json()["job_id"]
    credential = remote.credentials[credential_id]
    match bend:
        case "disabled":
            credential.status = "disabled"
        case "revoked":
            credential.cert_status = "revoked"
        case "expired":
            credential.identity = remote.authority.issue("Alice Example", credential.identity.key, days=-1)
        case "foreign":
            credential_id = remote.add_credential(bob.subject)
        case "unknown":
            credential_id = "no-such-credential"
    response = alice.prepare(job_id, credential_id)
    assert (response.status_code, response.json()["error"]) == (409, "credential_not_usable")
    assert alice.job(job_id)["state"] == "open"


def test_other_methods_are_not_allowed(alice: User, prepared: str) -> None:
    for method, path in (("GET", "jobs"), ("PUT", f"jobs/{prepared}"), ("DELETE", f"jobs/{prepared}/result")):
        assert alice.call(method, path).status_code == 405
