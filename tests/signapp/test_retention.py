"""What is kept how long, with the clock moved: the bin, what has ended, and what remains of it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from signapp import documents as storage
from signapp.models import Binned, Document, Envelope, Event, Invitation, Limits, Notice, Recipient, Remains, StoredFile
from signapp.services.envelopes import notices, retention
from signapp.tasks import tend_retention
from tests.signapp.test_pages import _this_role_alone, browser_of, envelope_of  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])
Clock = Callable[..., None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Moves the clock on, from where it stands."""
    really, moved = timezone.now, [timedelta(0)]
    monkeypatch.setattr(timezone, "now", lambda: really() + moved[0])

    def move(**on: float) -> None:
        moved[0] += timedelta(**on)

    return move


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.SIGNAPP_DOCUMENTS_DIR = tmp_path / "documents"


def ended(state: str = "completed", *, carol: str = "carol") -> Envelope:
    """Alice sent it and Carol signed it, now."""
    envelope = envelope_of("alice", state=state, sent_at=timezone.now(), ended_at=timezone.now())
    Envelope.objects.filter(pk=envelope.pk).update(sender_email="alice@example.test", sender_name="Alice")
    part, recipient = envelope.documents.get(), envelope.recipients.get()
    Recipient.objects.filter(pk=recipient.pk).update(issuer=envelope.issuer, subject=carol, state="done")
    signed = storage.store_file(storage.open_file(part.original))
    facts = {"name": part.name, "size": 1, "pages": 3, "sha256": part.sha256, "signed_at": timezone.now()}
    Document.objects.create(
        issuer=envelope.issuer, subject=carol, part=part, recipient=recipient, state="signed", signed=signed, **facts
    )
    part.current = signed
    part.save()
    Event.objects.create(envelope=envelope, kind="completed")
    return envelope


def throw_away(envelope: Envelope, *subjects: str) -> None:
    for subject in subjects:
        browser_of(subject).post("/envelopes/act", {"act": "bin", "envelope": [envelope.pk]})


def files() -> int:
    folder = storage._storage()
    return len(folder.listdir("")[1])


def test_the_bin_is_emptied_when_its_time_is_over_and_not_before(clock: Clock, settings: Any) -> None:
    settings.BIN_DAYS = 30
    envelope = ended()
    throw_away(envelope, "alice")
    clock(days=29, hours=23)
    tend_retention()
    assert "can be put back for 30 days" in browser_of("alice").get("/envelopes?show=bin").content.decode()
    assert Binned.objects.get().is_final is False
    clock(hours=2)
    tend_retention()
    assert Binned.objects.get().is_final is True
    assert browser_of("alice").get(f"/envelopes/{envelope.pk}").status_code == 404
    assert browser_of("carol").get(f"/envelopes/{envelope.pk}").status_code == 200, "others keep what they have"
    assert files() == 2


def test_what_everybody_threw_away_goes_with_its_files_and_keys(
    clock: Clock, django_capture_on_commit_callbacks: Any
) -> None:
    envelope = ended()
    throw_away(envelope, "alice", "carol")
    clock(days=31)
    for _twice in range(2):  # again, nothing happens
        with django_capture_on_commit_callbacks(using="signapp", execute=True):
            tend_retention()
        assert not Envelope.objects.exists()
        assert not Document.objects.exists()
        assert not StoredFile.objects.exists()
        assert files() == 0
        assert Remains.objects.count() == 1


def test_what_was_put_back_or_the_operator_gives_more_time_stays(clock: Clock) -> None:
    back, longer = ended(), ended()
    throw_away(back, "alice", "carol")
    throw_away(longer, "alice", "carol")
    browser_of("alice").post("/envelopes/act", {"act": "restore", "envelope": [back.pk]})
    Limits.objects.create(pk=1, bin_days=60)
    clock(days=59)
    tend_retention()
    assert Envelope.objects.count() == 2
    clock(days=2)
    tend_retention()
    assert list(Envelope.objects.all()) == [back]


def test_a_link_that_still_opens_keeps_what_was_signed_until_it_has_run_out(clock: Clock) -> None:
    envelope = ended(carol="")
    Invitation.objects.create(
        recipient=envelope.recipients.get(), checksum="x", expires_at=timezone.now() + timedelta(days=40)
    )
    throw_away(envelope, "alice")
    clock(days=31)
    tend_retention()
    assert Envelope.objects.exists()
    clock(days=10)
    tend_retention()
    assert not Envelope.objects.exists()


def test_a_draft_leaves_nothing(clock: Clock) -> None:
    draft = envelope_of("alice")
    throw_away(draft, "alice")
    clock(days=31)
    tend_retention()
    assert not Envelope.objects.exists()
    assert not Remains.objects.exists()


def test_what_remains_holds_no_name_and_no_document(clock: Clock) -> None:
    envelope = ended()
    signed_sha256 = envelope.documents.get().current.sha256
    throw_away(envelope, "alice", "carol")
    clock(days=31)
    tend_retention()
    remains = Remains.objects.get(pk=envelope.pk)
    assert (remains.subject, remains.state, remains.why) == ("alice", "completed", "bin")
    assert [person["account"] for person in remains.people] == ["carol"]
    [document] = remains.documents
    assert document["last_sha256"] == signed_sha256
    assert document["signatures"][0].keys() == {"person", "at", "sha256"}
    assert [event["kind"] for event in remains.events] == ["completed"]
    text = json.dumps([remains.people, remains.documents, remains.events])
    assert not [word for word in ("Carol", "@", "Lease", "boathouse") if word in text]


@pytest.mark.parametrize("state", ["completed", "declined", "cancelled", "expired"])
def test_what_has_ended_is_kept_for_ever_unless_the_operator_says_otherwise(clock: Clock, state: str) -> None:
    ended(state)
    clock(days=36_000)
    tend_retention()
    assert Envelope.objects.exists()
    assert not Notice.objects.exists()


@pytest.mark.parametrize("state", ["completed", "declined", "cancelled", "expired"])
def test_everybody_is_told_a_week_before_what_is_old_goes(
    clock: Clock, state: str, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.KEEP_DAYS = 100
    envelope, goes = ended(state), timezone.now() + timedelta(days=100)
    clock(days=92)
    tend_retention()
    assert mail.outbox == []
    clock(days=1, minutes=1)
    for _twice in range(2):
        tend_retention()
        assert sorted(message.to[0] for message in mail.outbox) == ["alice@example.test", "carol@example.test"]
    assert f"will be deleted here on {goes.day} {goes:%B %Y}" in mail.outbox[0].subject + mail.outbox[0].body
    assert "will be deleted on" in browser_of("carol").get(f"/envelopes/{envelope.pk}").content.decode()
    clock(days=6, hours=23)
    tend_retention()
    assert Envelope.objects.exists()
    clock(hours=2)
    with django_capture_on_commit_callbacks(using="signapp", execute=True):
        tend_retention()
    assert not Envelope.objects.exists()
    assert files() == 0
    assert Remains.objects.get().why == "age"


def test_a_shorter_time_deletes_nothing_within_a_week_and_a_longer_one_calls_the_warning_off(clock: Clock) -> None:
    ended()
    clock(days=500)
    limits = Limits.objects.create(pk=1, keep_days=10)
    tend_retention()
    assert len(mail.outbox) == 2
    clock(days=6)
    tend_retention()
    assert Envelope.objects.exists()
    Limits.objects.filter(pk=limits.pk).update(keep_days=1000)
    clock(days=2)
    tend_retention()
    assert Envelope.objects.get().warned_at is None
    Limits.objects.filter(pk=limits.pk).update(keep_days=0)
    clock(days=1000)
    tend_retention()
    assert Envelope.objects.exists()
    assert len(mail.outbox) == 2


def test_a_warning_that_is_not_true_any_more_is_not_sent(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ended()
    clock(days=500)
    Limits.objects.create(pk=1, keep_days=10)
    retention.tend_retention()
    Limits.objects.update(keep_days=0)
    notices.send_notices()
    assert mail.outbox == []


def test_what_is_under_way_or_a_template_is_never_deleted(clock: Clock) -> None:
    Limits.objects.create(pk=1, keep_days=1, bin_days=1)
    for state in ("sent", "template", "draft"):
        envelope_of("alice", state=state, sent_at=timezone.now() if state == "sent" else None)
    clock(days=500)
    retention.tend_retention()
    assert Envelope.objects.count() == 3


def test_one_that_fails_keeps_no_other_from_going(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies half way has done what it did, and the next goes on."""
    first, second = ended(), ended()
    throw_away(first, "alice", "carol")
    throw_away(second, "alice", "carol")
    clock(days=31)
    written, really = [], Remains.objects.create

    def die(**values: Any) -> Any:
        written.append(values["id"])
        if len(written) == 2:
            raise MemoryError
        return really(**values)

    monkeypatch.setattr(Remains.objects, "create", die)
    with pytest.raises(MemoryError):
        tend_retention()
    assert Envelope.objects.count() == 1
    assert StoredFile.objects.count() == 2, "nothing of the second was lost"
    monkeypatch.undo()
    Binned.objects.update(binned_at=datetime(2020, 1, 1, tzinfo=timezone.get_current_timezone()))
    tend_retention()
    assert not Envelope.objects.exists()
    assert Remains.objects.count() == 2
