"""Several documents by one approval: Alice's own, Bob's turns in envelopes, and what goes wrong between."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from signapp import errors
from signapp.models import Batch, Document, EnvelopeDocument, Recipient
from signapp.services import approvals, documents
from signapp.services.batches import approving, gathering, progress
from tests.signapp.conftest import PDF, Person
from tests.signapp.remote import Remote
from tests.signapp.test_envelopes import FIRST, claim, link_to, send, sign, state_of


def gather(who: Person, *chosen: Document) -> Batch:
    ids = [each.pk for each in chosen or gathering.waiting(account=who.account)]
    return gathering.open_batch(
        **who.who, document_ids=ids, credential_id="credential-1", credential_name="Alice Example"
    )


def work(who: Person, batch: Batch) -> Batch:
    """As its page does, until there is nothing to do but wait."""
    for _ in range(20):
        batch = gathering.find_batch(account=who.account, batch_id=batch.pk)
        batch = progress.advance(**who.who, batch=batch)
    return batch


def ask(who: Person, batch: Batch) -> str:
    approving.begin_approval(**who.who, session=who.session, batch_id=batch.pk)
    batch = gathering.find_batch(account=who.account, batch_id=batch.pk)
    return str(who.remote.batches[str(batch.gateway_id)]["state_asked"])


def answer(who: Person, state: str, **members: str) -> Batch:
    given = {"code": "c", "iss": settings.ISSUER, "error": "", **members}
    completed = approvals.complete(session=who.session, **who.who, state=state, **given)
    assert completed.batch is not None
    return completed.batch


def states(batch: Batch) -> list[str]:
    return [str(document.state) for document in gathering.list_documents(batch)]


@pytest.fixture
def prepared(alice: Person) -> Batch:
    """Three of Alice's documents."""
    batch = gather(alice, *(alice.upload(PDF + bytes([65 + number]), f"{number}.pdf") for number in range(3)))
    return work(alice, batch)


@pytest.fixture
def mallory(visitor: Callable[[], Person]) -> Person:
    return visitor().log_in("mallory")


def test_one_approval_signs_what_a_person_has_uploaded(alice: Person, remote: Remote, prepared: Batch) -> None:
    assert (prepared.state, states(prepared)) == ("prepared", ["prepared"] * 3)
    found = gathering.list_documents(prepared)
    assert len({document.fingerprint for document in found}) == 3
    state = ask(alice, prepared)
    links = remote.batches[str(prepared.gateway_id)]["links"]
    assert links == {str(each.job_id): f"{settings.SIGNAPP_URL}/documents/{each.pk}" for each in found}
    signing = answer(alice, state)
    assert (signing.state, states(signing)) == ("signing", ["signing"] * 3)
    for number, document in enumerate(found):
        remote.finish(str(document.job_id), PDF + bytes([65 + number]) + b" signed")
    ended = work(alice, prepared)
    assert (ended.state, states(ended)) == ("ended", ["signed"] * 3)
    for number, document in enumerate(found):
        with documents.open_signed(account=alice.account, document_id=document.pk) as file:
            assert file.read() == PDF + bytes([65 + number]) + b" signed"
    assert (len(remote.codes_redeemed), remote.batches, remote.jobs) == (1, {}, {})


def test_all_documents_of_an_envelope_are_signed_at_once_and_the_next_is_asked(
    alice: Person, bob: Person, remote: Remote
) -> None:
    envelope = send(alice, FIRST, documents_=3)
    claim(bob, link_to("bob"))
    batch = work(bob, gather(bob))
    answer(bob, ask(bob, batch))
    for document in gathering.list_documents(batch):
        remote.finish(str(document.job_id), PDF + document.name.encode())
    assert work(bob, batch).state == "ended"
    assert Recipient.objects.get(email="carol@example.org").state == "active"
    assert state_of(envelope) == "sent"


def test_what_waits_is_ones_own_and_whose_turn_it_is(alice: Person, bob: Person) -> None:
    own = bob.upload()
    send(alice, [("carol", "signer", 1), ("bob", "signer", 2)])
    envelope = send(alice, FIRST, documents_=2)
    claim(bob, link_to("bob"))
    found = list(gathering.waiting(account=bob.account))
    assert {document.part_id is None for document in found} == {True, False}
    assert (len(found), own in found) == (3, True)
    assert gathering.waiting(account=bob.account, envelope_id=envelope.pk).count() == 2
    assert not gathering.waiting(account=alice.account).exists()


def test_nothing_none_of_ones_own_and_too_many_make_no_batch(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = alice.upload(), bob.upload()
    for ids, error in (
        ([], errors.NothingToSignError),
        ([mine.pk, other.pk], errors.DocumentNotFoundError),
        ([uuid4()], errors.DocumentNotFoundError),
    ):
        with pytest.raises(error):
            gathering.open_batch(**alice.who, document_ids=ids, credential_id="c", credential_name="")
    monkeypatch.setattr(gathering, "MOST_DOCUMENTS", 1)
    with pytest.raises(errors.TooManyTogetherError):
        gathering.open_batch(**alice.who, document_ids=[mine.pk, uuid4()], credential_id="c", credential_name="")
    assert not Batch.objects.exists()
    assert alice.find(mine).batch_id is None


def test_a_document_is_in_one_batch_and_cannot_be_signed_beside_it(alice: Person, prepared: Batch) -> None:
    document = gathering.list_documents(prepared)[0]
    with pytest.raises(errors.DocumentNotFoundError):
        gather(alice, document)
    with pytest.raises(errors.WrongStateError):
        alice.prepare(document)
    with pytest.raises(errors.WrongStateError):
        alice.begin(document)


def test_another_persons_batch_does_not_exist(mallory: Person, prepared: Batch) -> None:
    for call in (
        lambda: gathering.find_batch(account=mallory.account, batch_id=prepared.pk),
        lambda: gathering.cancel_batch(**mallory.who, batch_id=prepared.pk),
        lambda: approving.begin_approval(**mallory.who, session=mallory.session, batch_id=prepared.pk),
    ):
        with pytest.raises(errors.BatchNotFoundError):
            call()


def test_what_cannot_be_prepared_is_left_out_and_says_why(alice: Person, remote: Remote) -> None:
    batch = gather(alice, *(alice.upload(PDF + bytes([65 + number]), f"{number}.pdf") for number in range(3)))
    damaged = str(uuid4())

    def refuse(request: httpx.Request) -> httpx.Response:
        told = remote._batch_prepare(request)
        job = remote._jobs_of(next(iter(remote.batches.values())))[1]
        job |= {"state": "failed", "digest": None, "error": {"code": "damaged_pdf", "message": damaged}}
        return told

    remote.answers["batch_prepare"] = refuse
    batch = work(alice, batch)
    assert (batch.state, states(batch)) == ("prepared", ["prepared", "failed", "prepared"])
    assert gathering.list_documents(batch)[1].error_code == "damaged_pdf"
    answer(alice, ask(alice, batch))
    assert states(batch) == ["signing", "failed", "signing"]


def test_a_document_that_is_somebody_elses_turn_now_is_left_out(
    alice: Person, bob: Person, visitor: Callable[[], Person]
) -> None:
    send(alice, [("bob", "signer", 1), ("carol", "signer", 1)], documents_=2)
    carol = visitor().log_in("carol")
    claim(bob, link_to("bob"))
    claim(carol, link_to("carol"))
    carol.prepare(Document.objects.filter(subject="carol").order_by("part__position")[0])
    batch = work(bob, gather(bob))
    assert (batch.state, states(batch)) == ("prepared", ["failed", "prepared"])
    assert gathering.list_documents(batch)[0].error_code == "turn_taken"


def test_an_approval_over_an_old_revision_is_never_redeemed(
    alice: Person, bob: Person, visitor: Callable[[], Person], remote: Remote
) -> None:
    send(alice, [("bob", "signer", 1), ("carol", "signer", 1)])
    carol = visitor().log_in("carol")
    claim(bob, link_to("bob"))
    claim(carol, link_to("carol"))
    own = bob.upload()
    batch = work(bob, gather(bob))
    state = ask(bob, batch)
    EnvelopeDocument.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sign(carol, b" carol")
    redeemed = len(remote.codes_redeemed)
    with pytest.raises(errors.RevisionMovedError):
        answer(bob, state)
    assert len(remote.codes_redeemed) == redeemed
    assert bob.find(own).state == "approving"


def test_a_denied_approval_leaves_everything_prepared_and_may_be_asked_for_again(
    alice: Person, remote: Remote, prepared: Batch
) -> None:
    state = ask(alice, prepared)
    with pytest.raises(errors.ApprovalDeniedError):
        answer(alice, state, code="", error="access_denied")
    assert (gathering.find_batch(account=alice.account, batch_id=prepared.pk).state, states(prepared)) == (
        "prepared",
        ["prepared"] * 3,
    )
    assert remote.codes_redeemed == []
    answer(alice, ask(alice, prepared))
    assert len(remote.codes_redeemed) == 1


def test_the_same_answer_again_redeems_nothing(alice: Person, remote: Remote, prepared: Batch) -> None:
    state = ask(alice, prepared)
    answer(alice, state)
    assert answer(alice, state).state == "signing"
    assert len(remote.codes_redeemed) == 1


def test_another_browser_or_account_approves_nothing(alice: Person, bob: Person, prepared: Batch) -> None:
    state = ask(alice, prepared)
    with pytest.raises(errors.ApprovalStaleError):
        answer(bob, state)
    with pytest.raises(errors.ApprovalStaleError):
        answer(alice, "x" * 43)
    assert states(prepared) == ["approving"] * 3


def test_an_answer_of_another_issuer_is_refused(alice: Person, remote: Remote, prepared: Batch) -> None:
    with pytest.raises(errors.ApprovalNotVerifiedError):
        answer(alice, ask(alice, prepared), iss="https://elsewhere.example")
    assert remote.codes_redeemed == []


def test_stopping_gives_everything_back(alice: Person, remote: Remote, prepared: Batch) -> None:
    kept = [document.pk for document in gathering.list_documents(prepared)]
    gathering.cancel_batch(**alice.who, batch_id=prepared.pk)
    assert (remote.jobs, remote.batches, Batch.objects.count()) == ({}, {}, 0)
    assert [alice_document.state for alice_document in Document.objects.filter(pk__in=kept)] == ["ready"] * 3
    assert alice.prepare(Document.objects.get(pk=kept[0])).fingerprint


def test_what_is_approved_is_not_stopped(alice: Person, prepared: Batch) -> None:
    answer(alice, ask(alice, prepared))
    with pytest.raises(errors.DocumentBusyError):
        gathering.cancel_batch(**alice.who, batch_id=prepared.pk)
    assert states(prepared) == ["signing"] * 3


@pytest.mark.parametrize("call", ["jobs", "batches", "batch_prepare", "get_batch", "batch_jobs"])
def test_whatever_answer_is_lost_the_work_goes_on(alice: Person, remote: Remote, call: str) -> None:
    batch = gather(alice, *(alice.upload(PDF + bytes([65 + number]), f"{number}.pdf") for number in range(2)))
    remote.answers[call] = httpx.ReadTimeout("lost")
    with pytest.raises(errors.ServiceUnavailableError):
        work(alice, batch)
    batch = work(alice, batch)
    assert (batch.state, states(batch), len(remote.jobs), len(remote.batches)) == ("prepared", ["prepared"] * 2, 2, 1)


def test_one_page_works_at_a_time(alice: Person, remote: Remote) -> None:
    batch = gather(alice, alice.upload())
    Batch.objects.update(working_until=timezone.now() + timedelta(seconds=5))
    progress.advance(**alice.who, batch=batch)
    assert remote.calls["jobs"] == 0
    Batch.objects.update(working_until=timezone.now() - timedelta(seconds=5))
    progress.advance(**alice.who, batch=batch)
    assert remote.calls["jobs"] == 1


def test_a_batch_that_is_gone_at_the_gateway_signs_nothing_and_says_so(
    alice: Person, remote: Remote, prepared: Batch
) -> None:
    answer(alice, ask(alice, prepared))
    remote.batches.clear()
    batch = work(alice, prepared)
    assert (batch.state, states(batch)) == ("failed", ["failed"] * 3)
    again = gather(alice)
    assert states(again) == ["ready"] * 3


def test_what_the_gateway_fails_to_sign_is_told_beside_what_is_signed(
    alice: Person, remote: Remote, prepared: Batch
) -> None:
    answer(alice, ask(alice, prepared))
    first, second, third = (str(document.job_id) for document in gathering.list_documents(prepared))
    remote.finish(first, PDF + b" signed")
    remote.jobs[second] |= {"state": "failed", "error": {"code": "outcome_unknown", "message": "x"}}
    remote.finish(third, PDF + b" signed too")
    batch = work(alice, prepared)
    assert (batch.state, states(batch)) == ("ended", ["signed", "failed", "signed"])
    failed = gathering.list_documents(batch)[1]
    assert failed.error_code == "outcome_unknown"
    assert list(gathering.waiting(account=alice.account)) == [failed]


def test_what_was_prepared_alone_is_taken_along(alice: Person, remote: Remote) -> None:
    document = alice.upload()
    alice.prepare(document)
    job_id = str(alice.find(document).job_id)
    batch = work(alice, gather(alice, document))
    assert (batch.state, job_id in remote.jobs) == ("prepared", False)
    assert isinstance(batch.gateway_id, UUID)


def test_a_lost_answer_keeps_everything_held_until_the_gateway_is_asked(
    alice: Person, bob: Person, remote: Remote
) -> None:
    send(alice, FIRST, documents_=2)
    claim(bob, link_to("bob"))
    batch = work(bob, gather(bob))
    state = ask(bob, batch)

    def lose(request: httpx.Request) -> httpx.Response:
        remote._batch_complete(request)
        raise httpx.ReadTimeout("lost")

    remote.answers["batch_complete"] = lose
    with pytest.raises(errors.ServiceUnavailableError):
        answer(bob, state)
    assert EnvelopeDocument.objects.filter(is_committed=True).count() == 2
    batch = gathering.find_batch(account=bob.account, batch_id=batch.pk)
    batch = approving.settle_approval(**bob.who, batch=batch)
    assert (batch.state, states(batch)) == ("signing", ["signing"] * 2)


def test_an_approval_that_never_arrived_may_be_asked_for_again(alice: Person, remote: Remote, prepared: Batch) -> None:
    state = ask(alice, prepared)
    remote.answers["batch_complete"] = httpx.ReadTimeout("lost")
    with pytest.raises(errors.ServiceUnavailableError):
        answer(alice, state)
    batch = approving.settle_approval(
        **alice.who, batch=gathering.find_batch(account=alice.account, batch_id=prepared.pk)
    )
    assert (batch.state, remote.codes_redeemed) == ("approving", [])
    answer(alice, ask(alice, batch))
    assert len(remote.codes_redeemed) == 1


def test_what_is_prepared_so_far_is_shown_while_the_rest_is(alice: Person, remote: Remote) -> None:
    batch = gather(alice, *(alice.upload(PDF + bytes([65 + number]), f"{number}.pdf") for number in range(2)))

    def begin(request: httpx.Request) -> httpx.Response:
        told = remote._batch_prepare(request)
        (held,) = remote.batches.values()
        held["state"] = "preparing"
        remote._jobs_of(held)[1]["state"] = "open"
        return told

    remote.answers["batch_prepare"] = begin
    batch = work(alice, batch)
    assert (batch.state, states(batch)) == ("preparing", ["prepared", "ready"])
    (held,) = remote.batches.values()
    held |= {"state": "failed", "error": {"code": "credential_not_usable", "message": "x"}}
    batch = work(alice, batch)
    assert (batch.state, states(batch)) == ("failed", ["failed"] * 2)
