"""Approvals whose browser comes back to gateway itself, and what is published of where tokens come from."""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from gateway.errors import ApprovalNotOfferedError
from gateway.models import ApprovalReturn, Batch, Job
from gateway.services import batch_work, sweeping
from gateway.services.approval_servers import ExternalProvider
from tests.gateway.conftest import User
from tests.gateway.remote import Remote


def ask(user: User, what: str) -> str:
    """Where the signer's browser goes."""
    answer = user.call("POST", f"{what}/authorization", {"returns_to": "gateway"})
    assert answer.status_code == 200, answer.content
    url: str = answer.json()["authorization_url"]
    return url


def come_back(**query: str) -> Any:
    return Client().get(f"/gateway/approval/callback?{urlencode({'iss': settings.ISSUER, **query})}")


@pytest.fixture
def asked(alice: User, prepared: str, remote: Remote) -> dict[str, str]:
    """What a browser comes back with, of an approval of Alice's job."""
    code = remote.approve(ask(alice, f"jobs/{prepared}"), alice.subject)
    assert remote.codes[code]["redirect_uri"] == settings.GATEWAY_REDIRECT_URI
    return {"code": code, "state": remote.codes[code]["state"]}


def test_an_approval_that_comes_back_here_signs(alice: User, prepared: str, asked: dict[str, str], work: Any) -> None:
    page = come_back(**asked)
    assert page.status_code == 200
    assert "Approved" in page.content.decode()
    assert page["Cache-Control"] == "no-store"
    assert alice.job(prepared)["state"] == "approved"
    assert asked["state"] not in ApprovalReturn.objects.get().state
    work(prepared)
    assert alice.job(prepared)["state"] == "signed"


def test_the_page_that_is_loaded_again_redeems_nothing(
    alice: User, prepared: str, asked: dict[str, str], remote: Remote
) -> None:
    for _ in range(2):
        assert come_back(**asked).status_code == 200
    assert remote.calls["token"] == 1
    assert alice.job(prepared)["state"] == "approved"


def test_who_declines_is_told_so_and_the_program_too(alice: User, prepared: str, remote: Remote) -> None:
    code = remote.approve(ask(alice, f"jobs/{prepared}"), alice.subject)
    page = come_back(state=remote.codes[code]["state"], error="access_denied")
    assert "You declined" in page.content.decode()
    told = alice.job(prepared)
    assert (told["state"], told["error"]["code"]) == ("prepared", "approval_denied")
    assert Job.objects.get(pk=prepared).approval_secrets == ""
    # Asked for again, it is not denied any more.
    code = remote.approve(ask(alice, f"jobs/{prepared}"), alice.subject)
    assert alice.job(prepared)["error"] is None
    assert come_back(code=code, state=remote.codes[code]["state"]).status_code == 200
    assert alice.job(prepared)["state"] == "approved"


@pytest.mark.parametrize(
    "bent",
    [
        {"state": "made-up"},
        {"state": ""},
        {"state": "s" * 3000},
        {"code": "made-up"},
        {"iss": "https://elsewhere.example"},
        {"code": "", "error": "server_error"},
    ],
)
def test_what_was_not_asked_for_signs_nothing(
    alice: User, prepared: str, asked: dict[str, str], remote: Remote, bent: dict[str, str]
) -> None:
    page = come_back(**{**asked, **bent})
    assert 400 <= page.status_code < 500
    assert alice.job(prepared)["state"] in {"authorizing", "prepared"}
    assert remote.calls["signHash"] == 0


def test_an_approval_that_was_superseded_ends_nothing(
    alice: User, prepared: str, asked: dict[str, str], remote: Remote
) -> None:
    newer = remote.approve(ask(alice, f"jobs/{prepared}"), alice.subject)
    for old in (asked, {"state": asked["state"], "error": "access_denied"}):
        assert come_back(**old).status_code == 409
    assert alice.job(prepared)["state"] == "authorizing"
    assert come_back(code=newer, state=remote.codes[newer]["state"]).status_code == 200
    assert alice.job(prepared)["state"] == "approved"


def test_another_persons_approval_signs_nothing(alice: User, bob: User, prepared: str, remote: Remote) -> None:
    code = remote.approve(ask(alice, f"jobs/{prepared}"), bob.subject)
    page = come_back(code=code, state=remote.codes[code]["state"])
    assert page.status_code == 403
    told = alice.job(prepared)
    assert (told["state"], told["error"]["code"]) == ("prepared", "approval_refused")


def test_a_code_for_here_is_worth_nothing_to_a_caller_and_the_other_way_round(
    alice: User, prepared: str, asked: dict[str, str], remote: Remote
) -> None:
    """RFC 6749, 4.1.3: a code is good with the redirect URI that it was asked for with."""
    assert alice.complete(prepared, asked["code"]).status_code == 410
    code = remote.approve(alice.ask(prepared).json()["authorization_url"], alice.subject)
    assert come_back(code=code, state=remote.codes[code]["state"]).status_code == 404
    assert alice.complete(prepared, code).status_code == 202


def test_a_server_that_was_not_reached_can_be_tried_again(
    alice: User, prepared: str, asked: dict[str, str], remote: Remote
) -> None:
    remote.token_failure = httpx.ConnectError("away")
    assert come_back(**asked).status_code == 503
    assert alice.job(prepared)["state"] == "authorizing"
    assert come_back(**asked).status_code == 200
    assert alice.job(prepared)["state"] == "approved"


def test_an_answer_that_was_lost_is_approved_again(
    alice: User, prepared: str, asked: dict[str, str], remote: Remote
) -> None:
    remote.token_failure = httpx.ReadTimeout("lost")
    assert come_back(**asked).status_code == 503
    told = alice.job(prepared)
    assert (told["state"], told["error"]["code"]) == ("prepared", "authorization_server_unavailable")


def test_a_batch_comes_back_here_too(alice: User, credential_id: str, remote: Remote) -> None:
    jobs = [alice.open_job().json()["job_id"] for _ in range(2)]
    batch_id = alice.call("POST", "batches", {"jobs": jobs}).json()["batch_id"]
    alice.call("POST", f"batches/{batch_id}/prepare", {"credential_id": credential_id})
    batch_work.run_batch(batch_id=uuid.UUID(batch_id))
    code = remote.approve(ask(alice, f"batches/{batch_id}"), alice.subject)
    state = remote.codes[code]["state"]
    assert "You declined" in come_back(state=state, error="access_denied").content.decode()
    told = alice.call("GET", f"batches/{batch_id}").json()
    assert (told["state"], told["error"]["code"]) == ("prepared", "approval_denied")
    code = remote.approve(ask(alice, f"batches/{batch_id}"), alice.subject)
    assert come_back(code=code, state=remote.codes[code]["state"]).status_code == 200
    assert Batch.objects.get().state == "approved"


@pytest.mark.parametrize(
    "body",
    [
        {"returns_to": "gateway", "state": "s" * 43},
        {"returns_to": "gateway", "link": "https://example.org/"},
        {"returns_to": "elsewhere"},
        {"returns_to": True},
        {},
    ],
)
def test_a_browser_comes_back_to_one_place(alice: User, prepared: str, body: dict[str, Any]) -> None:
    assert alice.call("POST", f"jobs/{prepared}/authorization", body).status_code == 400


def test_an_approval_that_is_too_old_is_forgotten(alice: User, prepared: str, asked: dict[str, str]) -> None:
    ApprovalReturn.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert come_back(**asked).status_code == 404
    sweeping.sweep_jobs()
    assert not ApprovalReturn.objects.exists()


def test_it_says_where_tokens_come_from() -> None:
    """RFC 9728."""
    answer = Client().get("/.well-known/oauth-protected-resource/gateway")
    told = answer.json()
    assert answer.status_code == 200
    assert told["resource"] == settings.GATEWAY_RESOURCE
    assert told["authorization_servers"] == [settings.ISSUER]
    assert Client().post("/.well-known/oauth-protected-resource/gateway").status_code == 405


def test_another_providers_browser_does_not_come_back_here(remote: Remote) -> None:
    with pytest.raises(ApprovalNotOfferedError):
        ExternalProvider().ask(details=[], state="s" * 43, link="", redirect_uri=settings.GATEWAY_REDIRECT_URI)
    assert not remote.calls
