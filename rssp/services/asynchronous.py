"""Mode A of ``signatures/signHash``: accepted now, signed by this process a moment later, fetched by polling.

The row is the truth and the queue only memory: a process that dies loses what it had not begun, which certainly signed
nothing, and leaves what it had begun to the ledger, which calls it unknown. The sweep gives both their answer.

Only a process that serves this role opens the HSM, so the work is done here and not by a Celery worker.
"""

import logging
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import lru_cache
from threading import BoundedSemaphore

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.models import Case, F, Value, When
from django.utils import timezone

from rssp.clients.introspection import VerifiedToken
from rssp.clients.outbound import parse_address, post_json
from rssp.errors import (
    CallLostError,
    InvalidParameterError,
    OutboundRefusedError,
    OutboundUnreachableError,
    OutOfBoundsError,
    RsspError,
    SigningFailedError,
    StillProcessingError,
    TooManyCallsError,
    UnknownRequestError,
    read_error,
    write_error,
)
from rssp.models import AsynchronousCall
from rssp.services.auditing import Origin
from rssp.services.signing import SigningCall, perform, verify_call
from rssp.services.sweeping import INTENT_LIFETIME
from rssp.wire import AsynchronousMode, PollingRequest, SignHashRequest

log = logging.getLogger(__name__)

State = AsynchronousCall.State
Notification = AsynchronousCall.Notification
_THREADS = 2
# What is accepted begins within this time, or never does.
_LONGEST_WAIT = timedelta(minutes=2)
_MOST_ATTEMPTS = 6
_FIRST_PAUSE = timedelta(seconds=10)
_BATCH = 100


def accept_call(*, bearer: VerifiedToken, request: SignHashRequest, later: AsynchronousMode, origin: Origin) -> str:
    """The ``responseID`` of a call that was found in order and will be done.

    Raises what `verify_call` does, `InvalidParameterError` and `OutOfBoundsError` for the mode's own parameters, and
    `TooManyCallsError`.
    """
    validity = _verify_validity(later)
    _verify_response_uri(later)
    verified = verify_call(bearer=bearer, request=request, origin=origin)
    executor, places = _executor(os.getpid())
    if not places.acquire(blocking=False):
        raise TooManyCallsError("too many calls wait")
    try:
        row = AsynchronousCall.objects.create(
            response_id=secrets.token_urlsafe(32),
            issuer=bearer.issuer,
            client_id=bearer.client_id,
            subject=bearer.subject,
            credential_id=verified.credential.credential_id,
            validity=validity,
            response_uri=later.response_uri or "",
        )
        executor.submit(_run, row.pk, verified, places)
    except BaseException:
        places.release()
        raise
    return row.response_id


def poll_call(*, bearer: VerifiedToken, request: PollingRequest) -> list[bytes]:
    """The signatures. Raises `StillProcessingError`, `UnknownRequestError`, or the error that ended the call."""
    row = AsynchronousCall.objects.filter(
        response_id=request.response_id, issuer=bearer.issuer, client_id=bearer.client_id, subject=bearer.subject
    ).first()
    if row is None or (row.finished is not None and row.finished + row.validity <= timezone.now()):
        raise UnknownRequestError("requestID")
    if row.state == State.FAILED and row.error is not None:
        raise read_error(row.error)
    if row.state != State.DONE:
        raise StillProcessingError("the call is not done yet")
    return [bytes.fromhex(signature) for signature in row.signatures]


def _verify_validity(later: AsynchronousMode) -> timedelta:
    longest = settings.LONGEST_RESULT_VALIDITY
    if later.validity is None:
        return min(settings.RESULT_VALIDITY, longest)
    if later.validity > longest:
        raise OutOfBoundsError("validity_period")
    return later.validity


def _verify_response_uri(later: AsynchronousMode) -> None:
    if later.response_uri is None:
        return
    try:
        parse_address(later.response_uri, allowed_hosts=settings.RESPONSE_URI_HOSTS)
    except OutboundRefusedError:
        raise InvalidParameterError("response_uri") from None


@lru_cache(maxsize=1)
def _executor(_process: int) -> tuple[ThreadPoolExecutor, BoundedSemaphore]:
    """This process's threads, made at their first use; a child process has its own. At its end a process waits for
    what it has accepted."""
    return ThreadPoolExecutor(_THREADS, "asynchronous"), BoundedSemaphore(settings.MOST_WAITING_CALLS)


def _run(pk: int, call: SigningCall, places: BoundedSemaphore) -> None:
    try:
        close_old_connections()
        begun = AsynchronousCall.objects.filter(pk=pk, state=State.ACCEPTED)
        if begun.update(state=State.STARTED, started=timezone.now()):
            _finish(pk, call)
    except Exception:
        # A thread has nobody to tell; the sweep will close the row.
        log.exception("an accepted call was not finished")
    finally:
        places.release()
        connections.close_all()


def _finish(pk: int, call: SigningCall) -> None:
    outcome: dict[str, object]
    try:
        signatures = perform(call=call)
        outcome = {"state": State.DONE, "signatures": [signature.hex() for signature in signatures]}
    except RsspError as error:
        outcome = {"state": State.FAILED, "error": write_error(error)}
    _close(pk, State.STARTED, outcome)


def _close(pk: int, state: str, outcome: Mapping[str, object]) -> bool:
    now = timezone.now()
    # In one statement: who sees the end also sees that it is to be told, and no death between the two forgets it.
    told = Case(When(response_uri="", then=F("notification")), default=Value(Notification.DUE))
    open_row = AsynchronousCall.objects.filter(pk=pk, state=state)
    return bool(open_row.update(finished=now, notification=told, next_attempt=now, **outcome))


# --- The regular round, by a worker: it needs no HSM --------------------------------------------------------


def sweep_calls() -> int:
    """Answers calls whose process is gone, forgets results that need not be kept; answers how many it closed."""
    now = timezone.now()
    lost = {"state": State.FAILED, "error": write_error(CallLostError("the process ended before the call began"))}
    unknown = {"state": State.FAILED, "error": write_error(SigningFailedError("the process ended during the call"))}
    waiting = AsynchronousCall.objects.filter(state=State.ACCEPTED, created__lt=now - _LONGEST_WAIT)
    running = AsynchronousCall.objects.filter(state=State.STARTED, started__lt=now - INTENT_LIFETIME)
    closed = sum(_close(pk, State.ACCEPTED, lost) for pk in waiting.values_list("pk", flat=True)[:_BATCH])
    closed += sum(_close(pk, State.STARTED, unknown) for pk in running.values_list("pk", flat=True)[:_BATCH])
    AsynchronousCall.objects.filter(finished__lt=now - F("validity")).exclude(notification=Notification.DUE).delete()
    return closed


def notify_clients() -> int:
    """Tells those who wanted to be told; answers how many were. A lease keeps two workers from telling twice."""
    now = timezone.now()
    due = AsynchronousCall.objects.filter(notification=Notification.DUE, next_attempt__lte=now)
    return sum(_notify(row) for row in due.order_by("next_attempt")[:_BATCH])


def _notify(row: AsynchronousCall) -> bool:
    pause = _FIRST_PAUSE * 4**row.attempts
    mine = AsynchronousCall.objects.filter(pk=row.pk, notification=Notification.DUE, attempts=row.attempts)
    if not mine.update(attempts=F("attempts") + 1, next_attempt=timezone.now() + pause):
        return False
    outcome = Notification.SENT
    try:
        # The identifier opens nothing without the client's own token, and says which repetition to drop.
        post_json(row.response_uri, {"responseID": row.response_id}, allowed_hosts=settings.RESPONSE_URI_HOSTS)
    except OutboundRefusedError as error:
        log.warning("a response_uri is not called: %s", error)
        outcome = Notification.GIVEN_UP
    except OutboundUnreachableError as error:
        log.info("a response_uri was not told: %s", error)
        outcome = Notification.GIVEN_UP if row.attempts + 1 >= _MOST_ATTEMPTS else Notification.DUE
    AsynchronousCall.objects.filter(pk=row.pk, attempts=row.attempts + 1).update(notification=outcome)
    return outcome == Notification.SENT
