"""Whose part a job waits for is said while it waits, and who says when to come back is not tried in vain."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from gateway.models import Batch, Job
from gateway.services import batch_work
from gateway.views import progress
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs

Work = Callable[[str], None]
BUSY = httpx.Response(429, headers={"Retry-After": "40"})


@pytest.fixture
def batch(alice: User, remote: Remote) -> str:
    """Two documents of level B-T, approved."""
    jobs = [alice.open_job(pdfs.make_pdf(text=text)).json()["job_id"] for text in ("Lease", "Annex")]
    made: str = alice.call("POST", "batches", {"jobs": jobs}).json()["batch_id"]
    credential_id = remote.add_credential(alice.subject, "p256")
    alice.call("POST", f"batches/{made}/prepare", {"credential_id": credential_id, "level": "B-T"})
    run(made)
    url = alice.call("POST", f"batches/{made}/authorization", {"state": "s" * 43}).json()["authorization_url"]
    body = {"code": remote.approve(url, alice.subject), "iss": settings.ISSUER}
    assert alice.call("POST", f"batches/{made}/complete", body).status_code == 202
    return made


def run(batch_id: str, times: int = 1) -> None:
    for _ in range(times):
        batch_work.run_batch(batch_id=uuid.UUID(batch_id))
        Job.objects.filter(state="signing").update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_flooded_time_stamping_service_is_waited_for_however_often_it_refuses(
    alice: User, batch: str, remote: Remote
) -> None:
    remote.sources.answers["tsa"] = BUSY
    run(batch, times=9)
    told = alice.call("GET", f"batches/{batch}").json()
    assert (told["state"], told["states"], told["waiting"]) == ("approved", {"signing": 2}, {"timestamp_failed": 2})
    assert remote.calls["signHash"] == 1
    del remote.sources.answers["tsa"]
    run(batch)
    told = alice.call("GET", f"batches/{batch}").json()
    assert (told["state"], told["states"], told["waiting"]) == ("ended", {"signed": 2}, {})
    assert remote.calls["signHash"] == 1


def test_it_is_asked_again_when_it_said(alice: User, batch: str, remote: Remote) -> None:
    remote.sources.answers["tsa"] = BUSY
    batch_work.run_batch(batch_id=uuid.UUID(batch))
    asked = remote.sources.calls["tsa"]
    batch_work.run_batch(batch_id=uuid.UUID(batch))
    assert remote.sources.calls["tsa"] == asked
    waits = [until - timezone.now() for until in Job.objects.values_list("lease_until", flat=True)]
    assert all(timedelta(seconds=30) < each <= timedelta(seconds=40) for each in waits)


@pytest.mark.parametrize("said", ["soon", "", "-5", "٣"])
def test_a_source_that_names_no_time_is_tried_for_some_minutes(
    alice: User, batch: str, remote: Remote, said: str
) -> None:
    headers = {"Retry-After": said.encode()} if said else {}
    remote.sources.answers["tsa"] = httpx.Response(429, headers=headers)
    run(batch, times=6)
    told = alice.call("GET", f"batches/{batch}").json()
    assert (told["state"], told["states"]) == ("failed", {"failed": 2})


def test_patience_ends_long_after_the_approval(alice: User, batch: str, remote: Remote) -> None:
    remote.sources.answers["tsa"] = BUSY
    run(batch)
    Batch.objects.update(token_expires_at=timezone.now() - timedelta(hours=3))
    run(batch, times=6)
    assert alice.call("GET", f"batches/{batch}").json()["states"] == {"failed": 2}


def test_a_job_says_that_it_waits_for_the_signing_service(
    alice: User, approved: str, remote: Remote, work: Work
) -> None:
    remote.sign_answers = [httpx.ConnectError("down")]
    work(approved)
    assert (alice.job(approved)["state"], alice.job(approved)["waits_for"]) == (
        "approved",
        "signing_service_unavailable",
    )
    Job.objects.update(next_attempt_at=timezone.now())
    work(approved)
    assert (alice.job(approved)["state"], alice.job(approved)["waits_for"]) == ("signed", None)


# --- Progress, streamed -------------------------------------------------------------------------------------------


def events(answer: Any) -> list[str]:
    return [part.decode() for part in answer.streaming_content]


def test_progress_is_told_as_it_is_made(
    alice: User, batch: str, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.time, "sleep", lambda _seconds: run(batch))
    answer = alice.call("GET", f"batches/{batch}/progress")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("text/event-stream", "no-store")
    first, *_, last = events(answer)
    assert first.startswith("data: {")
    assert '"states": {"approved": 2}' in first
    assert '"states": {"signed": 2}' in last
    assert last.endswith("\n\n")


def test_following_ends_with_its_time_and_with_the_batch(
    alice: User, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    assert len(events(alice.call("GET", f"batches/{batch}/progress"))) == 1
    Job.objects.all().delete()
    Batch.objects.all().delete()
    assert alice.call("GET", f"batches/{batch}/progress").status_code == 404


def test_so_many_follow_and_no_more(alice: User, bob: User, batch: str) -> None:
    assert bob.call("GET", f"batches/{batch}/progress").status_code == 404
    following = [alice.call("GET", f"batches/{batch}/progress") for _ in range(4)]
    refused = alice.call("GET", f"batches/{batch}/progress")
    assert (refused.status_code, refused.json()["error"]) == (429, "too_many_followers")
    assert refused["Retry-After"]
    for answer in [*following, *following]:  # closed before anything was read, and again
        for close in answer._resource_closers:
            close()
    assert alice.call("GET", f"batches/{batch}/progress").status_code == 200
