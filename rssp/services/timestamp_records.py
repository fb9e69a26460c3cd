"""The record of tokens: committed before the key is asked, in the order of their times.

Each commit is flushed to the disk with the tally locked, so tokens are recorded one commit after another, whatever
process they are of. What keeps that from being the measure of the service is that one commit holds every token that
threads of this process ask for while the one before is under way.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.conf import settings
from django.db import router, transaction

from rssp.algorithms import HASH_OIDS
from rssp.errors import TimeNotAvailableError, TooManyRequestsError
from rssp.models import Timestamp, TimestampTally
from rssp.pki.clock import Clock
from rssp.pki.tsa import Stamp, TimestampRequest
from rssp.services.limiting import network_of, take_shared

_SERIAL_BITS = 128
_TALLY = 1
_NO_TOKEN = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_AT_ONCE = 100


@dataclass(frozen=True)
class Caller:
    """Who asks: ``client_id`` is empty at the open endpoint, where ``address`` is counted."""

    client_id: str
    address: str


@dataclass
class Waiting:
    """A token to be recorded; afterwards it has its stamp, or what went wrong."""

    request: TimestampRequest
    policy: str
    caller: Caller
    clock: Clock
    stamp: Stamp | None = None
    error: Exception | None = None
    is_done: bool = False


@dataclass
class Recorder:
    """Of one process. Threads queue; whoever is next records for all that are in the queue by then."""

    _queue: list[Waiting] = field(default_factory=list)
    _queueing: threading.Lock = field(default_factory=threading.Lock)
    _recording: threading.Lock = field(default_factory=threading.Lock)

    def record(self, waiting: Waiting) -> Stamp:
        """Committed when it returns. Raises `TimeNotAvailableError`, `TooManyRequestsError` or a `DatabaseError`."""
        with self._queueing:
            self._queue.append(waiting)
        with self._recording:
            while not waiting.is_done:
                self._record_next()
        if waiting.stamp is None:
            raise waiting.error or RuntimeError("the thread that recorded it was ended")
        return waiting.stamp

    def _record_next(self) -> None:
        with self._queueing:
            batch, self._queue[:_MOST_AT_ONCE] = self._queue[:_MOST_AT_ONCE], []
        try:
            _commit(batch)
        except Exception as error:  # noqa: BLE001  (handed on)
            # Everybody in the batch is told: whoever records does so in the others' place.
            for each in batch:
                each.error = error
        finally:
            for each in batch:
                each.is_done = True


RECORDER = Recorder()


def _commit(batch: Sequence[Waiting]) -> None:
    """Gives each its stamp, unless its caller had enough of them. Reads the clock with the tally locked, so that who
    waited for it states no time that has passed meanwhile.

    Raises `TimeNotAvailableError`, also if a token states a time later than now by more than the accuracy, which is
    what clocks of several machines may differ by.
    """
    with transaction.atomic(using=router.db_for_write(Timestamp), durable=True):
        tally, _ = TimestampTally.objects.select_for_update().get_or_create(pk=_TALLY, defaults={"latest": _NO_TOKEN})
        now = batch[0].clock.read_time()
        if tally.latest > now + settings.TSA_ACCURACY:
            raise TimeNotAvailableError("a token states a later time than the clock does now")
        admitted = [each for each in batch if _is_admitted(each)]
        if not admitted:
            return
        stamps = [Stamp(each.policy, _draw_serial_number(), now, settings.TSA_ACCURACY) for each in admitted]
        tally.latest, tally.issued = max(tally.latest, now), tally.issued + len(stamps)
        tally.save(update_fields=["latest", "issued"])
        Timestamp.objects.bulk_create(map(_row, admitted, stamps))
    for each, stamp in zip(admitted, stamps, strict=True):
        each.stamp = stamp


def _is_admitted(waiting: Waiting) -> bool:
    """Counts what several processes would give one address together."""
    if not waiting.caller.client_id:
        key = f"tsa {network_of(waiting.caller.address)}"
        try:
            take_shared(key=key, per_minute=settings.TSA_TOKENS_PER_MINUTE)
        except TooManyRequestsError as error:
            waiting.error = error
            return False
    return True


def _row(waiting: Waiting, stamp: Stamp) -> Timestamp:
    return Timestamp(
        serial_number=f"{stamp.serial_number:x}",
        generated=stamp.generated,
        policy=stamp.policy,
        hash_algorithm_oid=HASH_OIDS[waiting.request.hash_name],
        imprint=waiting.request.imprint.hex(),
        client_id=waiting.caller.client_id,
        address=network_of(waiting.caller.address),
    )


def _draw_serial_number() -> int:
    """128 bits, the first of them set: nobody guesses the next, and no two processes draw the same."""
    return secrets.randbits(_SERIAL_BITS) | 1 << (_SERIAL_BITS - 1)
