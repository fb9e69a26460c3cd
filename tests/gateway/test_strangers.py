"""What gateway's API lets strangers have and ask (yardsticks I1 and I5)."""

import json
import logging
from collections.abc import Callable

import pytest
from django.test import Client

from gateway.models import Job
from tests.gateway.conftest import User
from tests.gateway.remote import Remote


def test_i1_no_log_holds_what_opens_something(
    alice: User, prepared: str, remote: Remote, work: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code = remote.approve(alice.ask(prepared).json()["authorization_url"], alice.subject)
    alice.complete(prepared, code)
    (granted,) = remote.granted
    work(prepared)
    alice.call("POST", "inspections", b"%PDF-", HTTP_DOCUMENT_PASSWORD=":Y2FuYXJ5IHBhc3N3b3Jk:")
    alice.call("GET", f"jobs/{prepared}")
    assert alice.job(prepared)["state"] == "signed"
    said = "\n".join([caplog.text, *(repr(record.args) for record in caplog.records)])
    assert said
    for secret in (alice.token, code, granted, "canary password", "Y2FuYXJ5"):
        assert secret not in said


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_i5_what_a_form_of_another_site_can_send_is_no_request(alice: User, prepared: str, content_type: str) -> None:
    """Even with a token, which no browser adds by itself."""
    before = Job.objects.filter(pk=prepared).values().get()
    for path in (f"jobs/{prepared}/prepare", f"jobs/{prepared}/authorization", f"jobs/{prepared}/complete", "batches"):
        answer = Client(headers={"Authorization": f"Bearer {alice.token}"}).generic(
            "POST", f"/gateway/v1/{path}", json.dumps({"credential_id": "c", "state": "s" * 43}), content_type
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert Job.objects.filter(pk=prepared).values().get() == before


def test_i5_a_cookie_opens_nothing(alice: User, prepared: str) -> None:
    browser = Client()
    browser.cookies.load({"token": alice.token, "Authorization": f"Bearer {alice.token}", "paraph": alice.token})
    assert browser.get(f"/gateway/v1/jobs/{prepared}").status_code == 401
    assert browser.delete(f"/gateway/v1/jobs/{prepared}").status_code == 401
    assert Job.objects.filter(pk=prepared).exists()
