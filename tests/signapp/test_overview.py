"""The list of envelopes: what stands where, one act on several, the bin and the way back out of it."""

import io
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from signapp.models import Binned, Envelope, EnvelopeDocument, Event, Recipient
from signapp.services.envelopes import archives, many
from tests.signapp.test_pages import PDF, _this_role_alone, browser_of, envelope_of  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])
ACT = "/envelopes/act"


def act(client: Client, what: str, *chosen: Any, **more: str) -> Any:
    return client.post(ACT, {"act": what, "envelope": [getattr(each, "pk", each) for each in chosen], **more})


def page(client: Client, query: str) -> str:
    return client.get(f"/envelopes?{query}").content.decode()


def test_each_envelope_stands_where_its_state_says() -> None:
    alice = browser_of("alice")
    titles = {state: f"Lease {state}" for state in Envelope.State.values}
    for state, title in titles.items():
        Envelope.objects.filter(pk=envelope_of("alice", state=state).pk).update(title=title)
    shows = {"others": {"sent"}, "done": {"completed"}, "drafts": {"draft"}, "waiting": set(), "bin": set()}
    for show, states in {**shows, "ended": {"declined", "cancelled", "expired"}}.items():
        text = page(alice, f"show={show}")
        assert {state for state, title in titles.items() if f">{title}<" in text} == states


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("q=boathouse&sender=me&days=7", True),
        ("q=CAROL@", True),
        ("q=nobody", False),
        ("sender=others", False),
        ("days=30", False),
        ("days=365", True),
        ("days=nonsense&sender=nonsense&page=nonsense", True),
    ],
)
def test_filters_narrow_and_what_nobody_can_choose_does_not(query: str, *, is_found: bool) -> None:
    envelope = envelope_of("alice", state="sent")
    if "days=" in query and "days=7" not in query:
        Envelope.objects.filter(pk=envelope.pk).update(created=timezone.now() - timedelta(days=60))
    text = page(browser_of("alice"), f"show=others&{query}")
    assert ("Lease of the boathouse</bdi>" in text) is is_found
    assert is_found or "Nothing here fits" in text


def test_what_is_deleted_comes_back_and_is_gone_for_nobody_else() -> None:
    alice, carol, envelope = browser_of("alice"), browser_of("carol"), envelope_of("alice", state="completed")
    Recipient.objects.update(issuer=envelope.issuer, subject="carol", state="done")
    assert act(alice, "bin", envelope, show="done")["Location"] == "/envelopes?show=done"
    assert "Undo" in page(alice, "show=done")
    assert "Lease of" not in page(alice, "show=done")
    assert "Lease of" in page(alice, "show=bin")
    assert "in your bin" in alice.get(f"/envelopes/{envelope.pk}").content.decode()
    assert "Lease of" in page(carol, "show=done")
    act(alice, "restore", envelope)
    assert "Lease of" in page(alice, "show=done")
    act(alice, "bin", envelope)
    Binned.objects.update(is_final=True)
    assert alice.get(f"/envelopes/{envelope.pk}").status_code == 404
    assert "Lease of" not in page(alice, "show=bin")
    act(alice, "restore", envelope)
    assert alice.get(f"/envelopes/{envelope.pk}").status_code == 404, "what is gone does not come back"
    assert carol.get(f"/envelopes/{envelope.pk}").status_code == 200


def test_a_draft_goes_into_the_bin_and_what_is_under_way_does_not() -> None:
    alice, draft, sent = browser_of("alice"), envelope_of("alice"), envelope_of("alice", state="sent")
    assert alice.post(f"/envelopes/{draft.pk}/discard").status_code == 302
    assert Envelope.objects.filter(pk=draft.pk).exists()
    assert "Undo" in page(alice, "show=drafts")
    assert alice.post(f"/envelopes/{sent.pk}/discard").status_code == 409
    answer = alice.post(ACT, {"act": "bin", "envelope": [sent.pk], "show": "others"}, follow=True)
    assert "1 was left as it is: This envelope is still under way." in answer.content.decode()
    assert not Binned.objects.filter(envelope=sent).exists()


def test_reminding_and_cancelling_several_tells_what_was_left() -> None:
    alice = browser_of("alice")
    two = [envelope_of("alice", state="sent") for _ in range(2)]
    over = envelope_of("alice", state="expired")
    answer = alice.post(ACT, {"act": "remind", "envelope": [each.pk for each in [*two, over]]}, follow=True)
    words = answer.content.decode()
    assert "2 envelopes: reminded." in words
    assert "1 was left as it is: There is nothing to do here any more." in words
    asked = act(alice, "cancel", *two)
    assert asked.status_code == 200
    assert "Cancel 2 envelopes?" in asked.content.decode()
    assert act(alice, "cancel", *two, reason="").status_code == 422
    assert Envelope.objects.filter(state="sent").count() == 2
    assert act(alice, "cancel", *two, reason="A mistake").status_code == 302
    assert set(Envelope.objects.values_list("state", flat=True)) == {"cancelled", "expired"}
    assert Event.objects.filter(kind="cancelled", detail="A mistake").count() == 2


def test_several_envelopes_are_downloaded_as_one_zip() -> None:
    alice = browser_of("alice")
    hostile = envelope_of("alice", state="completed")
    Envelope.objects.filter(pk=hostile.pk).update(title="../../etc: a \u202e<b>")
    EnvelopeDocument.objects.filter(envelope=hostile).update(name="..\\..\\x?.pdf")
    chosen = [envelope_of("alice", state="completed"), envelope_of("alice", state="sent"), hostile]
    answer = act(alice, "download", *chosen)
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert archive.namelist() == [
            "Lease of the boathouse/01 Lease.pdf",
            "Lease of the boathouse (2)/01 Lease.pdf",
            "_.._etc_ a _b_/01 _.._x_.pdf",
        ]
        assert {archive.read(name) for name in archive.namelist()} == {PDF}


def test_too_much_for_one_zip_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MOST_BYTES", 10)
    assert act(browser_of("alice"), "download", envelope_of("alice", state="completed")).status_code == 413


@pytest.mark.parametrize("what", ["remind", "cancel", "bin", "restore", "download", "nonsense", ""])
def test_others_envelopes_are_not_reached_by_choosing_them(what: str) -> None:
    foreign = envelope_of("alice", state="sent")
    answer = act(browser_of("mallory"), what, foreign, uuid4(), "nonsense", reason="x")
    assert answer.status_code in {302, 404}
    assert b"boathouse" not in answer.content
    foreign.refresh_from_db()
    assert foreign.state == "sent"
    assert not Binned.objects.exists()
    assert not Event.objects.exists()


def test_choosing_nothing_or_too_many_does_nothing_bad() -> None:
    alice = browser_of("alice")
    assert "Choose at least one" in alice.post(ACT, {"act": "bin"}, follow=True).content.decode()
    envelope = envelope_of("alice", state="completed")
    act(alice, "bin", *[uuid4() for _ in range(many.MOST)], envelope)
    assert not Binned.objects.exists()
    assert Client().post(ACT, {"act": "bin"}).status_code == 302
    assert alice.get(ACT).status_code == 405
