"""A place that is handed to another address: who is asked then, what ends with it, and when it is refused."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.utils import timezone

from signapp import errors
from signapp.models import Document, EnvelopeDocument, Event, Notice, Recipient
from signapp.services.envelopes import access, answers, delegation, drafts, notices
from tests.signapp.conftest import Person
from tests.signapp.test_envelopes import (  # noqa: F401  (fixtures)
    FIRST,
    carol,
    claim,
    complete,
    draft,
    link_to,
    mallory,
    sign,
    state_of,
    turn_of,
)

DANA: dict[str, Any] = {"name": "Dana", "email": "dana@example.org", "reason": "On leave"}


def send(alice: Person, people: list[tuple[str, str, int]], *, may_delegate: bool = True) -> Any:
    envelope = draft(alice, people)
    words: dict[str, Any] = {"title": "Lease", "message": "", "due_on": None, "now": timezone.now()}
    drafts.send_envelope(account=alice.account, envelope_id=envelope.pk, may_delegate=may_delegate, **words)
    notices.send_notices()
    return envelope


@pytest.fixture
def dana(visitor: Any) -> Person:
    person: Person = visitor().log_in("dana")
    return person


def test_who_takes_the_place_signs_in_it_and_the_first_is_out(
    alice: Person,
    bob: Person,
    dana: Person,
    carol: Person,  # noqa: F811
) -> None:
    envelope = send(alice, FIRST)
    old = link_to("bob")
    claim(bob, old)
    bob.prepare(turn_of(bob))
    delegation.delegate(account=bob.account, envelope_id=envelope.pk, **DANA)
    notices.send_notices()
    with pytest.raises(errors.EnvelopeNotFoundError):
        access.find_envelope(account=bob.account, envelope_id=envelope.pk)
    with pytest.raises(errors.InvitationOverError):
        claim(bob, old)
    told = next(message for message in mail.outbox if message.to == ["alice@example.org"])
    assert "handed their place" in str(told.body)
    claim(dana, link_to("dana"))
    sign(dana, b" dana")
    notices.send_notices()
    claim(carol, link_to("carol"))
    sign(carol, b" carol")
    assert state_of(envelope) == "completed"
    event = Event.objects.get(kind="delegated")
    assert (event.actor, event.detail) == ("Bob", "Dana (dana@example.org): On leave")


def test_an_approvers_place_goes_back_to_the_sender_without_a_link(alice: Person, bob: Person) -> None:
    envelope = send(alice, [("bob", "approver", 1)])
    claim(bob, link_to("bob"))
    back = {**DANA, "email": "Alice@example.org"}
    delegation.delegate(account=bob.account, envelope_id=envelope.pk, **back)
    answers.approve_envelope(account=alice.account, envelope_id=envelope.pk)
    assert state_of(envelope) == "completed"


def test_an_approval_that_was_begun_redeems_nothing_once_the_place_is_handed_over(alice: Person, bob: Person) -> None:
    envelope = send(alice, FIRST)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    bob.prepare(turn)
    state = bob.begin(turn)
    delegation.delegate(account=bob.account, envelope_id=envelope.pk, **DANA)
    with pytest.raises(errors.SignappError):
        complete(bob, state)
    assert bob.remote.codes_redeemed == []
    assert not Document.objects.filter(part__isnull=False).exists()
    assert EnvelopeDocument.objects.get().holder is None


def test_nothing_is_handed_over_while_a_signature_is_made(alice: Person, bob: Person) -> None:
    envelope = send(alice, FIRST)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    bob.prepare(turn)
    complete(bob, bob.begin(turn))
    with pytest.raises(errors.DocumentBusyError):
        delegation.delegate(account=bob.account, envelope_id=envelope.pk, **DANA)
    assert Recipient.objects.filter(email="bob@example.org").exists()


def test_who_signed_a_document_keeps_the_place(alice: Person, bob: Person) -> None:
    envelope = draft(alice, FIRST, 2)
    words: dict[str, Any] = {"title": "Lease", "message": "", "due_on": None, "now": timezone.now()}
    drafts.send_envelope(account=alice.account, envelope_id=envelope.pk, may_delegate=True, **words)
    notices.send_notices()
    claim(bob, link_to("bob"))
    Document.objects.filter(pk=Document.objects.filter(subject="bob").first().pk).update(state="signed")
    with pytest.raises(errors.DelegationRefusedError):
        delegation.delegate(account=bob.account, envelope_id=envelope.pk, **DANA)


@pytest.mark.parametrize("case", ["not allowed", "not asked", "not yet asked", "foreign", "twice", "over", "too often"])
def test_a_place_that_cannot_be_handed_over_stays(
    case: str,
    alice: Person,
    bob: Person,
    mallory: Person,  # noqa: F811
    carol: Person,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    envelope = send(alice, FIRST, may_delegate=case != "not allowed")
    claim(bob, link_to("bob"))
    who, to = {"not asked": alice, "foreign": mallory, "not yet asked": carol}.get(case, bob), dict(DANA)
    if case == "twice":
        to["email"] = "CAROL@example.org"
    if case == "over":
        answers.cancel_envelope(account=alice.account, envelope_id=envelope.pk, reason="x")
    if case == "too often":
        monkeypatch.setattr(delegation, "_MOST_HANDOVERS", 0)
    expected = {
        "not allowed": errors.DelegationRefusedError,
        "foreign": errors.EnvelopeNotFoundError,
        "not yet asked": errors.EnvelopeNotFoundError,
        "twice": errors.RecipientTwiceError,
        "too often": errors.EnvelopeFullError,
    }
    with pytest.raises(expected.get(case, errors.EnvelopeOverError)):
        delegation.delegate(account=who.account, envelope_id=envelope.pk, **to)
    assert set(Recipient.objects.values_list("email", flat=True)) == {"bob@example.org", "carol@example.org"}
    assert not Event.objects.filter(kind="delegated").exists()


def test_one_persons_link_is_sent_again(alice: Person, bob: Person) -> None:
    envelope = send(alice, FIRST)
    old, person = link_to("bob"), Recipient.objects.get(email="bob@example.org")
    again: dict[str, Any] = {"account": alice.account, "envelope_id": envelope.pk, "recipient_id": person.pk}
    with pytest.raises(errors.RemindedLatelyError):
        answers.resend(**again)
    Notice.objects.update(created=timezone.now() - timedelta(minutes=11))
    answers.resend(**again)
    assert notices.send_notices() == 1
    with pytest.raises(errors.InvitationExpiredError):
        claim(bob, old)
    claim(bob, link_to("bob"))
    waiting = Recipient.objects.get(email="carol@example.org")
    for bent, expected in (
        ({"recipient_id": waiting.pk}, errors.EnvelopeOverError),
        ({"recipient_id": uuid4()}, errors.EnvelopeNotFoundError),
        ({"account": bob.account}, errors.EnvelopeNotFoundError),
    ):
        with pytest.raises(expected):
            answers.resend(**{**again, **bent})
