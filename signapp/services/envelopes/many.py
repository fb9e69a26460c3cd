"""One act on many envelopes: each is tried alone, and what cannot be done is counted by its reason."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from signapp.errors import SignappError
from signapp.services.envelopes import answers, filing
from signapp.services.logins import Account

MOST = 100


@dataclass
class Outcome:
    """``done`` are the envelopes that it was done to; ``left`` counts codes of `SignappError`."""

    done: list[uuid.UUID] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)


def _each(envelope_ids: Iterable[uuid.UUID], act: Callable[[uuid.UUID], object]) -> Outcome:
    outcome = Outcome()
    for envelope_id in dict.fromkeys(envelope_ids):
        try:
            act(envelope_id)
        except SignappError as error:
            outcome.left[error.code] += 1
        else:
            outcome.done.append(envelope_id)
    return outcome


def remind_all(*, account: Account, envelope_ids: Iterable[uuid.UUID]) -> Outcome:
    return _each(envelope_ids, lambda each: answers.remind(account=account, envelope_id=each))


def cancel_all(*, account: Account, envelope_ids: Iterable[uuid.UUID], reason: str) -> Outcome:
    return _each(envelope_ids, lambda each: answers.cancel_envelope(account=account, envelope_id=each, reason=reason))


def bin_all(*, account: Account, envelope_ids: Iterable[uuid.UUID]) -> Outcome:
    return _each(envelope_ids, lambda each: filing.bin_envelope(account=account, envelope_id=each))


def restore_all(*, account: Account, envelope_ids: Iterable[uuid.UUID]) -> Outcome:
    return _each(envelope_ids, lambda each: filing.restore_envelope(account=account, envelope_id=each))
