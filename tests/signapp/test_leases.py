"""Yardstick C7: one document, several signers at once. Who is second waits before consent and never after it, and for
nobody who has left."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from signapp import errors
from signapp.models import EnvelopeDocument
from signapp.services import approvals, documents, signing
from signapp.services.envelopes import tending, turns
from tests.signapp.conftest import PDF, Person
from tests.signapp.remote import Remote
from tests.signapp.test_envelopes import carol, claim, complete, link_to, send, sign, state_of, turn_of

__all__ = ["carol"]
BOTH = [("bob", "signer", 1), ("carol", "signer", 1)]


@pytest.fixture
def asked(alice: Person, bob: Person, carol: Person) -> str:
    """Bob and Carol are asked at once; Bob was first, and is on the approval page. Its ``state``."""
    send(alice, BOTH)
    claim(bob, link_to("bob"))
    claim(carol, link_to("carol"))
    bob.prepare(turn_of(bob))
    return bob.begin(turn_of(bob))


def deny(bob: Person, state: str) -> None:
    answer = {"state": state, "code": "", "iss": settings.ISSUER, "error": "access_denied"}
    with pytest.raises(errors.ApprovalDeniedError):
        approvals.complete(session=bob.session, **bob.who, **answer)


def cancel(bob: Person, _state: str) -> None:
    signing.cancel_signature(**bob.who, document_id=turn_of(bob).pk)


def answered(status: int, error: str) -> Callable[[Person, str], None]:
    def run(bob: Person, state: str) -> None:
        bob.remote.answers["complete"] = httpx.Response(status, json={"error": error})
        with pytest.raises(errors.SignappError):
            complete(bob, state)

    return run


def let_time_pass(_bob: Person, _state: str) -> None:
    EnvelopeDocument.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


ENDS: dict[str, Callable[[Person, str], None]] = {
    "denied": deny,
    "cancelled": cancel,
    "code refused": answered(403, "approval_refused"),
    "code too old": answered(410, "approval_expired"),
    "another approval was asked for": answered(409, "wrong_state"),
    "authorization server away": answered(503, "authorization_server_unavailable"),
    "disk full": answered(507, "storage_full"),
    "job gone": answered(404, "job_not_found"),
    "time over": let_time_pass,
}


def test_c7_the_second_is_told_before_the_approval_page(asked: str, carol: Person) -> None:
    with pytest.raises(errors.TurnTakenError):
        carol.prepare(turn_of(carol))
    assert turn_of(carol).state == "ready"


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_c7_an_attempt_that_came_to_nothing_keeps_nobody_waiting(
    asked: str, bob: Person, carol: Person, end: Callable[[Person, str], None]
) -> None:
    end(bob, asked)
    assert sign(carol, b" carol").state == "signed"
    sign(bob, b" bob")
    with documents.open_stored(EnvelopeDocument.objects.get().current) as result:
        assert result.read() == PDF + b"A carol bob"


def test_c7_who_was_not_answered_holds_on_until_the_gateway_says_what_came_of_it(
    asked: str, bob: Person, carol: Person, remote: Remote
) -> None:
    remote.answers["complete"] = httpx.ReadTimeout("no answer")
    with pytest.raises(errors.ServiceUnavailableError):
        complete(bob, asked)
    # The code may have arrived: nobody else may sign over the same revision yet.
    with pytest.raises(errors.TurnTakenError):
        carol.prepare(turn_of(carol))
    tending.follow_signatures()
    with pytest.raises(errors.TurnTakenError):
        carol.prepare(turn_of(carol))
    handed_on_long_ago()
    tending.follow_signatures()
    assert sign(carol, b" carol").state == "signed"


def test_c7_a_code_whose_answer_was_lost_ends_as_a_signature(
    asked: str, bob: Person, carol: Person, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = remote._complete

    def lost(request: httpx.Request) -> Any:
        real(request)
        raise httpx.ReadTimeout("no answer")

    turn = turn_of(bob)
    with monkeypatch.context() as patch:
        patch.setattr(remote, "_complete", lost)
        with pytest.raises(errors.ServiceUnavailableError):
            complete(bob, asked)
    handed_on_long_ago()
    tending.follow_signatures()
    assert bob.find(turn).state == "signing"
    with pytest.raises(errors.TurnTakenError):
        carol.prepare(turn_of(carol))
    remote.finish(str(bob.find(turn).job_id), PDF + b"A bob")
    assert bob.refresh(turn).state == "signed"
    sign(carol, b" carol")
    envelope = EnvelopeDocument.objects.get().envelope
    assert state_of(envelope) == "completed"


def test_a_page_that_was_denied_does_not_end_the_approval_of_another_tab(asked: str, bob: Person) -> None:
    turns.hold(turn_of(bob), commit=True)
    deny(bob, asked)
    assert EnvelopeDocument.objects.get().is_committed


def handed_on_long_ago() -> None:
    EnvelopeDocument.objects.update(lease_until=timezone.now() + turns.COMMITTED_LEASE - timedelta(minutes=5))
