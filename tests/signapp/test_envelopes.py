"""Envelopes from draft to done, and every way off: Alice sends, Bob and Carol sign, Mallory is not invited."""

import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.core import mail
from django.utils import timezone

from signapp import errors
from signapp.models import Document, Envelope, EnvelopeDocument, Event, Invitation, Notice, Recipient, StoredFile
from signapp.services import documents
from signapp.services.envelopes import access, answers, drafts, invitations, notices, overview, tending
from tests.signapp.conftest import PDF, Person
from tests.signapp.remote import Remote
from tests.signapp.test_signing import complete

FIRST = [("bob", "signer", 1), ("carol", "signer", 2)]


@pytest.fixture
def carol(visitor: Callable[[], Person]) -> Person:
    return visitor().log_in("carol")


@pytest.fixture
def mallory(visitor: Callable[[], Person]) -> Person:
    return visitor().log_in("mallory")


def draft(alice: Person, people: list[tuple[str, str, int]], documents_: int = 1) -> Envelope:
    envelope = drafts.create_draft(account=alice.account, title="Lease of the boathouse")
    for number in range(documents_):
        drafts.add_document(
            **alice.who, envelope_id=envelope.pk, upload=io.BytesIO(PDF + bytes([65 + number])), name=f"{number}.pdf"
        )
    for name, role, order in people:
        drafts.add_recipient(
            account=alice.account,
            envelope_id=envelope.pk,
            name=name.title(),
            email=f"{name}@example.org",
            role=role,
            order=order,
        )
    return envelope


def send(alice: Person, people: list[tuple[str, str, int]], documents_: int = 1) -> Envelope:
    envelope = draft(alice, people, documents_)
    sent = drafts.send_envelope(
        account=alice.account,
        envelope_id=envelope.pk,
        title=envelope.title,
        message="Please",
        due_on=None,
        now=timezone.now(),
    )
    notices.send_notices()
    return sent


def link_to(name: str) -> str:
    """The secret in the newest message to somebody."""
    text = next(message.body for message in reversed(mail.outbox) if message.to == [f"{name}@example.org"])
    found = re.search(r"/invitations/(\S+)", str(text))
    assert found is not None
    return found[1]


def claim(person: Person, secret: str, **bent: Any) -> Envelope:
    name = person.account.subject
    answer = {"sub": name, "email": f"{name}@example.org", "email_verified": True, **bent}
    person.remote.answers["userinfo"] = httpx.Response(200, json=answer)
    try:
        return invitations.claim(**person.who, secret=secret)
    finally:
        person.remote.answers.pop("userinfo", None)


def turn_of(person: Person) -> Document:
    found: Document = Document.objects.exclude(state="signed").get(subject=person.account.subject)
    return found


def sign(person: Person, mark: bytes) -> Document:
    """Over the revision that the gateway was given."""
    turn = turn_of(person)
    person.prepare(turn)
    complete(person, person.begin(turn))
    job_id = str(person.find(turn).job_id)
    with documents.open_original(account=person.account, document_id=turn.pk) as source:
        person.remote.finish(job_id, source.read() + mark)
    return person.refresh(turn)


def state_of(envelope: Envelope) -> str:
    return str(Envelope.objects.get(pk=envelope.pk).state)


# --- The way to done ----------------------------------------------------------------------------------------


def test_two_sign_in_order_each_over_the_others_revision(alice: Person, bob: Person, carol: Person) -> None:
    envelope = send(alice, FIRST)
    assert [message.to for message in mail.outbox] == [["bob@example.org"]]
    claim(bob, link_to("bob"))
    assert sign(bob, b" bob").state == "signed"
    notices.send_notices()
    claim(carol, link_to("carol"))
    sign(carol, b" carol")
    assert state_of(envelope) == "completed"
    part = EnvelopeDocument.objects.get()
    with documents.open_stored(part.current) as result:
        assert result.read() == PDF + b"A bob carol"
    notices.send_notices()
    assert {tuple(message.to) for message in mail.outbox[-3:]} == {
        ("alice@example.org",),
        ("bob@example.org",),
        ("carol@example.org",),
    }
    kinds = list(Event.objects.exclude(kind="mailed").values_list("kind", flat=True))
    once = ["opened", "signed", "finished"]
    assert kinds == ["sent", "asked", *once, "asked", *once, "completed"]


def test_who_signs_at_the_same_time_waits_before_approving_and_loses_nothing(
    alice: Person, bob: Person, carol: Person
) -> None:
    envelope = send(alice, [("bob", "signer", 1), ("carol", "signer", 1)])
    claim(bob, link_to("bob"))
    claim(carol, link_to("carol"))
    bob.prepare(turn_of(bob))
    with pytest.raises(errors.TurnTakenError):
        carol.prepare(turn_of(carol))
    sign(bob, b" bob")
    sign(carol, b" carol")
    assert state_of(envelope) == "completed"
    with documents.open_stored(EnvelopeDocument.objects.get().current) as result:
        assert result.read() == PDF + b"A bob carol"


def test_an_approval_over_an_old_revision_is_never_redeemed(
    alice: Person, bob: Person, carol: Person, remote: Remote
) -> None:
    send(alice, [("bob", "signer", 1), ("carol", "signer", 1)])
    claim(bob, link_to("bob"))
    claim(carol, link_to("carol"))
    turn = turn_of(bob)
    bob.prepare(turn)
    state = bob.begin(turn)
    EnvelopeDocument.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sign(carol, b" carol")
    redeemed = len(remote.codes_redeemed)
    with pytest.raises(errors.RevisionMovedError):
        complete(bob, state)
    assert len(remote.codes_redeemed) == redeemed
    sign(bob, b" bob")
    with documents.open_stored(EnvelopeDocument.objects.get().current) as result:
        assert result.read() == PDF + b"A carol bob"


def test_several_documents_are_each_signed_before_the_next_is_asked(alice: Person, bob: Person) -> None:
    envelope = send(alice, FIRST, documents_=2)
    claim(bob, link_to("bob"))
    for turn in Document.objects.filter(subject="bob").order_by("part__position"):
        assert Recipient.objects.get(email="carol@example.org").state == "waiting"
        bob.prepare(turn)
        complete(bob, bob.begin(turn))
        bob.remote.finish(str(bob.find(turn).job_id), PDF + turn.name.encode())
        bob.refresh(turn)
    assert Recipient.objects.get(email="carol@example.org").state == "active"
    assert state_of(envelope) == "sent"


def test_an_approver_stands_before_the_signer_and_a_copy_comes_last(alice: Person, bob: Person, carol: Person) -> None:
    envelope = send(alice, [("bob", "approver", 1), ("carol", "copy", 1), ("alice", "signer", 2)])
    claim(bob, link_to("bob"))
    assert not Document.objects.exists()
    answers.approve_envelope(account=bob.account, envelope_id=envelope.pk)
    sign(alice, b" alice")
    assert state_of(envelope) == "completed"
    notices.send_notices()
    assert claim(carol, link_to("carol")).pk == envelope.pk
    assert access.find_envelope(account=carol.account, envelope_id=envelope.pk).pk == envelope.pk


# --- Invitations --------------------------------------------------------------------------------------------


def test_a_link_opens_for_the_invited_address_alone(alice: Person, bob: Person, mallory: Person) -> None:
    envelope = send(alice, FIRST)
    secret = link_to("bob")
    with pytest.raises(errors.InvitationElsewhereError):
        claim(mallory, secret)
    with pytest.raises(errors.InvitationUnverifiedError):
        claim(mallory, secret, email="bob@example.org", email_verified=False)
    with pytest.raises(errors.InvitationUnverifiedError):
        claim(mallory, secret, email="bob@example.org", email_verified="true")
    with pytest.raises(errors.EnvelopeNotFoundError):
        access.find_envelope(account=bob.account, envelope_id=envelope.pk)
    claim(bob, secret)
    claim(bob, secret)
    with pytest.raises(errors.InvitationUsedError):
        claim(mallory, secret, email="bob@example.org")
    assert Document.objects.filter(subject="bob").count() == 1
    assert Invitation.objects.filter(checksum=secret).count() == 0


def test_a_preview_tells_neither_address_nor_title(alice: Person) -> None:
    send(alice, FIRST)
    shown = invitations.preview(secret=link_to("bob"))
    assert (shown.sender, shown.address) == ("Alice Example", "b…@example.org")


@pytest.mark.parametrize("secret", ["", "x", "x" * 4000, "../../", "\0"])
def test_an_unknown_link_opens_nothing(bob: Person, secret: str) -> None:
    with pytest.raises(errors.InvitationError):
        invitations.claim(**bob.who, secret=secret)


def test_an_old_link_is_replaced_by_one_to_the_invited_address(alice: Person, bob: Person) -> None:
    send(alice, FIRST)
    old = link_to("bob")
    Invitation.objects.update(expires_at=timezone.now())
    with pytest.raises(errors.InvitationExpiredError):
        claim(bob, old)
    invitations.ask_for_link(secret=old)
    assert notices.send_notices() == 0, "one went a moment ago"
    Notice.objects.update(created=timezone.now() - timedelta(minutes=11))
    invitations.ask_for_link(secret=old)
    assert notices.send_notices() == 1
    claim(bob, link_to("bob"))


def test_a_later_link_ends_the_earlier(alice: Person, bob: Person) -> None:
    envelope = send(alice, FIRST)
    old = link_to("bob")
    Recipient.objects.filter(email="bob@example.org").change(asked_at=timezone.now() - timedelta(hours=2))
    assert answers.remind(account=alice.account, envelope_id=envelope.pk) == 1
    notices.send_notices()
    with pytest.raises(errors.InvitationExpiredError):
        claim(bob, old)
    claim(bob, link_to("bob"))
    with pytest.raises(errors.RemindedLatelyError):
        answers.remind(account=alice.account, envelope_id=envelope.pk)


# --- Ends ---------------------------------------------------------------------------------------------------


def test_one_no_ends_it_for_all(alice: Person, bob: Person, carol: Person) -> None:
    envelope = send(alice, [("bob", "signer", 1), ("carol", "signer", 1)])
    claim(bob, link_to("bob"))
    claim(carol, link_to("carol"))
    turn = turn_of(carol)
    carol.prepare(turn)
    state = carol.begin(turn)
    answers.decline_envelope(account=bob.account, envelope_id=envelope.pk, reason="The rent is wrong")
    with pytest.raises(errors.EnvelopeOverError):
        complete(carol, state)
    assert carol.remote.codes_redeemed == []
    notices.send_notices()
    assert "The rent is wrong" in str(mail.outbox[-1].body)
    for again in (answers.decline_envelope, answers.cancel_envelope):
        with pytest.raises(errors.SignappError):
            again(account=alice.account, envelope_id=envelope.pk, reason="x")


def test_nothing_ends_an_envelope_while_a_signature_is_made(alice: Person, bob: Person) -> None:
    envelope = send(alice, FIRST)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    bob.prepare(turn)
    complete(bob, bob.begin(turn))
    with pytest.raises(errors.DocumentBusyError):
        answers.cancel_envelope(account=alice.account, envelope_id=envelope.pk, reason="x")
    Envelope.objects.update(expires_at=timezone.now())
    tending.tend_envelopes()
    assert state_of(envelope) == "sent"
    bob.remote.finish(str(bob.find(turn).job_id), PDF + b"A bob")
    bob.refresh(turn)
    tending.tend_envelopes()
    assert state_of(envelope) == "expired"


def test_a_cancelled_envelope_asks_nobody(alice: Person, bob: Person) -> None:
    envelope = draft(alice, FIRST)
    drafts.send_envelope(
        account=alice.account, envelope_id=envelope.pk, title="x", message="", due_on=None, now=timezone.now()
    )
    answers.cancel_envelope(account=alice.account, envelope_id=envelope.pk, reason="A mistake")
    notices.send_notices()
    assert [str(message.subject) for message in mail.outbox] == ["Alice Example cancelled “x”."] * len(mail.outbox)


def test_the_clock_reminds_and_expires(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    envelope = send(alice, FIRST)
    start = timezone.now()
    for days, mails, state in ((2, 1, "sent"), (4, 2, "sent"), (5, 2, "sent"), (8, 3, "sent"), (31, 5, "expired")):
        monkeypatch.setattr(timezone, "now", lambda days=days: start + timedelta(days=days))
        tending.tend_envelopes()
        notices.send_notices()
        assert (len(mail.outbox), state_of(envelope)) == (mails, state), days


def test_a_signature_is_fetched_although_its_signer_left(alice: Person, bob: Person) -> None:
    send(alice, FIRST)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    bob.prepare(turn)
    complete(bob, bob.begin(turn))
    bob.remote.finish(str(bob.find(turn).job_id), PDF + b"A bob")
    tending.follow_signatures()
    assert bob.find(turn).state == "signing"
    Document.objects.filter(pk=turn.pk).update(updated=timezone.now() - timedelta(minutes=1))
    tending.follow_signatures()
    assert bob.find(turn).state == "signed"
    assert Recipient.objects.get(email="carol@example.org").state == "active"


# --- Refusals -----------------------------------------------------------------------------------------------


def test_nothing_changes_after_sending(alice: Person) -> None:
    envelope = send(alice, FIRST)
    part, person = EnvelopeDocument.objects.get(), Recipient.objects.first()
    assert person is not None
    me: dict[str, Any] = {"account": alice.account, "envelope_id": envelope.pk}
    someone = {"name": "D", "email": "d@example.org", "role": "signer", "order": 1}
    words: dict[str, Any] = {"title": "x", "message": "", "due_on": date.max, "now": timezone.now()}
    calls: list[Callable[[], Any]] = [
        lambda: drafts.add_document(**alice.who, envelope_id=envelope.pk, upload=io.BytesIO(PDF), name="b.pdf"),
        lambda: drafts.remove_document(**me, part_id=part.pk),
        lambda: drafts.add_recipient(**me, **someone),
        lambda: drafts.remove_recipient(**me, recipient_id=person.pk),
        lambda: drafts.send_envelope(**me, **words),
        lambda: drafts.delete_draft(**me),
    ]
    for call in calls:
        with pytest.raises(errors.EnvelopeSentError):
            call()
    with pytest.raises(TypeError):
        Event.objects.update(detail="x")
    with pytest.raises(TypeError):
        Event.objects.earliest("pk").save()


@pytest.mark.parametrize(("people", "count"), [([], 1), ([("bob", "copy", 1)], 1), (FIRST, 0)])
def test_an_incomplete_envelope_is_not_sent(alice: Person, people: list[tuple[str, str, int]], count: int) -> None:
    envelope = draft(alice, people, count)
    with pytest.raises(errors.EnvelopeIncompleteError):
        drafts.send_envelope(
            account=alice.account, envelope_id=envelope.pk, title="x", message="", due_on=None, now=timezone.now()
        )
    assert state_of(envelope) == "draft"
    drafts.delete_draft(account=alice.account, envelope_id=envelope.pk)
    assert not StoredFile.objects.exists()


def test_limits_and_twice_the_same_address(alice: Person, settings: Any) -> None:
    settings.ENVELOPE_RECIPIENTS, settings.ENVELOPE_DOCUMENTS = 2, 1
    envelope = draft(alice, FIRST)
    for email, expected in (
        ("BOB@example.org", errors.RecipientTwiceError),
        ("d@example.org", errors.EnvelopeFullError),
    ):
        with pytest.raises(expected):
            drafts.add_recipient(
                account=alice.account, envelope_id=envelope.pk, name="D", email=email, role="signer", order=1
            )
    with pytest.raises(errors.EnvelopeFullError):
        drafts.add_document(**alice.who, envelope_id=envelope.pk, upload=io.BytesIO(PDF), name="b.pdf")


def test_another_persons_envelope_does_not_exist(alice: Person, mallory: Person, bob: Person) -> None:
    envelope = send(alice, FIRST)
    claim(bob, link_to("bob"))
    part = EnvelopeDocument.objects.get()
    calls: list[Callable[[], Any]] = [
        lambda: access.find_envelope(account=mallory.account, envelope_id=envelope.pk),
        lambda: access.find_part(account=mallory.account, envelope_id=envelope.pk, part_id=part.pk),
        lambda: access.find_part(account=alice.account, envelope_id=envelope.pk, part_id=uuid4()),
        lambda: answers.approve_envelope(account=mallory.account, envelope_id=envelope.pk),
        lambda: answers.decline_envelope(account=mallory.account, envelope_id=envelope.pk, reason="x"),
        lambda: answers.cancel_envelope(account=bob.account, envelope_id=envelope.pk, reason="x"),
        lambda: answers.remind(account=bob.account, envelope_id=envelope.pk),
        lambda: drafts.delete_draft(account=bob.account, envelope_id=envelope.pk),
    ]
    for call in calls:
        with pytest.raises(errors.EnvelopeNotFoundError):
            call()
    with pytest.raises(errors.WrongStateError):
        documents.delete_document(**bob.who, document_id=turn_of(bob).pk)
    with pytest.raises(errors.EnvelopeOverError):
        answers.approve_envelope(account=bob.account, envelope_id=envelope.pk)
    assert overview.count_envelopes(account=bob.account)["waiting"] == 1
    assert overview.count_envelopes(account=alice.account)["others"] == 1
    assert sum(overview.count_envelopes(account=mallory.account).values()) == 0
    assert overview.list_envelopes(account=alice.account, show="others", wanted=overview.Filter("carol@"))[0] == [
        envelope
    ]
    assert overview.list_envelopes(account=alice.account, show="others", wanted=overview.Filter("nobody")) == (
        [],
        False,
    )


def test_a_message_that_could_not_be_sent_is_sent_later(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_message: Any) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as away:
        away.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
        send(alice, FIRST)
    assert notices.send_notices() == 0
    Notice.objects.update(due_at=timezone.now())
    assert notices.send_notices() == 1
    assert len(mail.outbox) == 1
