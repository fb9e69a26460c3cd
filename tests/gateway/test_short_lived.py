"""A short-lived credential: for each job one is made that signs once, and the signer sees only what was chosen."""

import base64
import json
from collections.abc import Callable

import httpx
import pytest
from cryptography import x509

from gateway.models import Job
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support.pdfs import make_pdf


@pytest.fixture
def short_lived(alice: User, remote: Remote) -> str:
    credential_id = remote.add_credential(alice.subject, "p256")
    remote.credentials[credential_id].short_lived = True
    return credential_id


def open_job(user: User) -> str:
    job_id: str = user.open_job(make_pdf()).json()["job_id"]
    return job_id


def test_it_is_listed_as_what_it_is(alice: User, remote: Remote, short_lived: str, credential_id: str) -> None:
    listed = {item["credential_id"]: item for item in alice.call("GET", "credentials").json()["credentials"]}
    assert {key: item["short_lived"] for key, item in listed.items()} == {short_lived: True, credential_id: False}
    assert (listed[short_lived]["common_name"], listed[short_lived]["serial_number"]) == ("Alice Example", "")


def test_a_document_is_signed_with_the_credential_made_for_it(
    alice: User, remote: Remote, short_lived: str, work: Callable[[str], None]
) -> None:
    job_id = open_job(alice)
    answer = alice.prepare(job_id, short_lived)
    assert (answer.status_code, answer.json()["credential_id"]) == (200, short_lived)
    job = Job.objects.get(pk=job_id)
    assert job.credential_id not in {short_lived, None}
    (leaf, *_) = (base64.b64decode(item) for item in job.certificate_chain)
    assert leaf == remote.credentials[job.credential_id].identity.certificate
    x509.load_der_x509_certificate(leaf)
    url = alice.ask(job_id).json()["authorization_url"]
    (pushed,) = remote.pushed.values()
    assert json.loads(pushed["authorization_details"])[0]["credentialID"] == job.credential_id
    alice.complete(job_id, remote.approve(url, alice.subject))
    work(job_id)
    assert alice.job(job_id)["state"] == "signed"
    assert alice.download(job_id).startswith(b"%PDF")


def test_a_job_keeps_what_was_made_for_it_as_long_as_it_can_sign(
    alice: User, remote: Remote, short_lived: str, credential_id: str
) -> None:
    job_id = open_job(alice)

    def made() -> str:
        assert alice.prepare(job_id, short_lived, reason="Agreed").status_code == 200
        return str(Job.objects.get(pk=job_id).credential_id)

    first = made()
    assert made() == first
    alice.ask(job_id)
    assert made() == first
    assert remote.calls["prepareCertificate"] == 1
    remote.credentials[first].status = "disabled"
    second = made()
    assert second != first
    assert alice.prepare(job_id, credential_id).json()["credential_id"] == credential_id
    assert Job.objects.get(pk=job_id).credential_id == credential_id
    assert made() not in {first, second}


def test_too_many_that_wait_are_told(alice: User, remote: Remote, short_lived: str) -> None:
    job_id = open_job(alice)
    remote.prepare_failure = httpx.Response(429, json={"error": "too_many_requests"})
    answer = alice.prepare(job_id, short_lived)
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_prepared")
    assert answer["Retry-After"]
    assert alice.job(job_id)["state"] == "open"


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [(503, "signing_service_unavailable", 503), (400, "credential_not_usable", 409)],
)
def test_what_is_not_made_prepares_nothing(
    alice: User, remote: Remote, short_lived: str, status: int, code: str, told: int
) -> None:
    job_id = open_job(alice)
    remote.prepare_failure = httpx.Response(status, json={"error": "x", "error_description": "y"})
    answer = alice.prepare(job_id, short_lived)
    assert (answer.status_code, answer.json()["error"]) == (told, code)
    assert (alice.job(job_id)["state"], Job.objects.get(pk=job_id).credential_id) == ("open", None)


def test_somebody_elses_makes_nothing(alice: User, bob: User, remote: Remote, short_lived: str) -> None:
    job_id = open_job(bob)
    assert bob.prepare(job_id, short_lived).status_code == 409
    assert remote.calls["prepareCertificate"] == 0
