"""The ledger of approved digests: authorised, reserved, intended, then signed or unknown. Never back from intended.

Every step is a conditional UPDATE that is committed before the next one starts (``durable``: an enclosing transaction
is an error, because the HSM would be asked before the intent is kept); who changes fewer rows than it holds lost them
to another and stops. No function here touches the HSM.
"""

import hmac
import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, connections, router, transaction
from django.utils import timezone

from rssp.errors import (
    ActivationExpiredError,
    ActivationRefusedError,
    ActivationReplayedError,
    DigestNotAuthorizedError,
    DigestSpentError,
    DigestWithdrawnError,
    OldEpochError,
    OldTokenError,
    OutcomeNotRecordedError,
    ReservationLostError,
    TamperingError,
)
from rssp.hsm.interface import Epoch
from rssp.models import ActivatedDigest, Activation, AuditEvent, Extension, Intent, RestoreEpoch
from rssp.models.insertion import insert_rows, make_alike
from rssp.models.prepared import Prepared
from rssp.services.auditing import Origin, describe_activation, record_events
from rssp.services.commits import committed_with_the_next
from rssp.services.credentials import verify_usable
from rssp.services.macs import verify_activation_mac

log = logging.getLogger(__name__)

State = ActivatedDigest.State
# What signHash signs is a digest of what is signed; a document's own is signed by way of signed attributes alone.
SIGNABLE_HASH_TYPE = "dtbsr"
DOCUMENT_HASH_TYPE = "sdr"
ANY_DIGEST = ""


@dataclass(frozen=True)
class Reservation:
    """One call's hold on ledger rows, in the order of the call's digests."""

    activation: Activation
    call: uuid.UUID
    rows: tuple[int, ...]
    positions: tuple[int, ...]
    digests: tuple[bytes, ...]
    hash_algorithm_oid: str


@dataclass(frozen=True)
class CurrentSad:
    """What activates an authorisation now: the last extension's SAD, or the first one as long as there is none."""

    checksum: str
    expires: datetime
    extension: int
    mac: str


_LOCK = Prepared(
    lambda pk: (
        Activation.objects.select_for_update(of=("self",))
        .select_related("credential__certificate", "credential__key")
        .annotate(highest_epoch=RestoreEpoch.objects.order_by("-number").values("number")[:1])
        .filter(pk=pk)
    ),
    int,
)
_EXTENSIONS = Prepared(lambda pk: Extension.objects.filter(activation_id=pk).order_by("number"), int)
_SLOTS = Prepared(lambda pk: ActivatedDigest.objects.filter(activation_id=pk).order_by("position"), int)


def lock_activation(*, pk: int) -> Activation:
    """The authorisation as it is now, with its credential, certificate and extensions; nobody else may use it in this
    transaction's lifetime."""
    found = _LOCK.first(pk)
    if found is None:
        raise Activation.DoesNotExist
    found.held_extensions = _read_extensions(found)  # type: ignore[attr-defined]  # asked once, and read several times
    return found


def verify_epoch(*, activation: Activation, epoch: Epoch) -> None:
    """Of an authorisation from `lock_activation` under the token's ``epoch``.

    Raises `OldTokenError` if the database knows a higher epoch, `OldEpochError` for an authorisation of another one.
    """
    highest: int | None = activation.highest_epoch  # type: ignore[attr-defined]  # `lock_activation` put it there
    if (highest or 0) > epoch.number:
        log.critical("the database's restore epoch is %s and the token's %s: nothing is signed", highest, epoch.number)
        raise OldTokenError("the token's restore epoch is older than the database's")
    if activation.epoch != epoch.number:
        raise OldEpochError("it was authorised before a restore")


def find_current_sad(*, activation: Activation) -> CurrentSad:
    """Approvals by passkey are never extended."""
    if extensions := _list_extensions(activation):
        last = extensions[-1]
        return CurrentSad(last.sad_checksum, last.expires, last.number, last.mac)
    return CurrentSad(activation.sad_checksum, activation.expires, 0, activation.mac)


def _list_extensions(activation: Activation) -> list[Extension]:
    held: list[Extension] | None = activation.__dict__.get("held_extensions")
    return _read_extensions(activation) if held is None else held


def _read_extensions(activation: Activation) -> list[Extension]:
    return _EXTENSIONS.all(activation.pk) if activation.kind == Activation.Kind.EXPLICIT else []


def verify_current_sad(*, activation: Activation, sad_checksum: str) -> CurrentSad:
    """Raises `ActivationReplayedError` for a SAD that was extended, `ActivationExpiredError` for one that has ended."""
    current = find_current_sad(activation=activation)
    if not hmac.compare_digest(current.checksum, sad_checksum):
        raise ActivationReplayedError("the SAD was extended")
    if current.expires <= timezone.now():
        raise ActivationExpiredError("the SAD has expired")
    return current


def reserve_digests(
    *,
    activation: Activation,
    sad_checksum: str,
    epoch: Epoch,
    hash_algorithm_oid: str,
    digests: Sequence[bytes],
    hash_type: str = SIGNABLE_HASH_TYPE,
) -> Reservation:
    """All of the digests or none: each occurrence takes a row of its own. Committed when this returns, and on the disk
    at the latest with the intent: what a loss of power releases was not signed.

    Raises `DigestNotAuthorizedError` (`DigestSpentError` where the authorisation held it and it was used), what
    `verify_epoch`, `verify_current_sad` and `read_slots` raise, or what `verify_usable` raises if the credential was
    closed meanwhile.
    """
    call, now = uuid.uuid4(), timezone.now()
    with committed_with_the_next(using=router.db_for_write(ActivatedDigest)):
        activation = lock_activation(pk=activation.pk)
        verify_epoch(activation=activation, epoch=epoch)
        verify_current_sad(activation=activation, sad_checksum=sad_checksum)
        if activation.credential is None:
            raise ActivationRefusedError("what was approved is no signature")
        verify_usable(credential=activation.credential)
        chosen = _choose_rows(read_slots(activation=activation), hash_type, hash_algorithm_oid, digests)
        rows = tuple(slot.pk for slot in chosen)
        if _reserve(rows, call, now) != len(rows):
            raise DigestSpentError("another call was faster")
    positions = tuple(slot.position for slot in chosen)
    return Reservation(activation, call, rows, positions, tuple(digests), hash_algorithm_oid)


def read_slots(*, activation: Activation) -> list[ActivatedDigest]:
    """All rows of an authorisation that `lock_activation` holds, in order; raises `TamperingError`."""
    slots = _SLOTS.all(activation.pk)
    verify_activation_mac(activation, _list_extensions(activation), slots)
    return slots


def _choose_rows(
    slots: Sequence[ActivatedDigest], hash_type: str, hash_algorithm_oid: str, digests: Sequence[bytes]
) -> list[ActivatedDigest]:
    """A row for each occurrence, in the call's order: one of its own digest, or else one for any digest.

    Multiplicity counts, order does not.
    """
    held: Counter[str] = Counter()
    free: dict[str, list[ActivatedDigest]] = defaultdict(list)
    is_withdrawn = False
    for slot in slots:
        if slot.hash_type == hash_type and slot.hash_algorithm_oid in (hash_algorithm_oid, ""):
            held[slot.digest] += 1
            is_withdrawn |= slot.state == State.WITHDRAWN
            if slot.state == State.AUTHORISED:
                free[slot.digest].append(slot)
    wanted = Counter(digest.hex() for digest in digests)
    if (wanted - held).total() > held[ANY_DIGEST]:
        raise DigestNotAuthorizedError("the approval does not hold this digest, or not so often")
    lacking = sum(max(0, count - len(free[digest])) for digest, count in wanted.items())
    if lacking > len(free[ANY_DIGEST]):
        if is_withdrawn:
            raise DigestWithdrawnError("the approval ended when the certificate was suspended or revoked")
        raise DigestSpentError("the approval held this digest, and it was used")
    return [(free[digest.hex()] or free[ANY_DIGEST]).pop(0) for digest in digests]


def record_intent(*, reservation: Reservation) -> None:
    """From here on the digests are spent, whatever happens.

    Raises `ReservationLostError` if the sweep was faster, `TamperingError` if a row was spent before.
    """
    now = timezone.now()
    nonce = reservation.activation.nonce
    intents = make_alike(
        Intent(call=reservation.call, hash_algorithm_oid=reservation.hash_algorithm_oid, happened=now),
        (
            {"row_id": pk, "slot": f"{nonce}:{position}", "digest": digest.hex()}
            for pk, position, digest in zip(reservation.rows, reservation.positions, reservation.digests, strict=True)
        ),
    )
    try:
        with transaction.atomic(using=router.db_for_write(ActivatedDigest), durable=True):
            if _intend(reservation, now) != len(reservation.rows):
                raise ReservationLostError("the reservation ran out")
            insert_rows(intents)
    except IntegrityError:
        if not Intent.objects.filter(slot__in=[intent.slot for intent in intents]).exists():
            raise
        raise TamperingError("a spent row of the ledger was made free again") from None


def record_outcomes(*, reservation: Reservation, signatures: Sequence[bytes], asked: int, origin: Origin) -> None:
    """The first rows are signed, the others unknown; ``asked`` is how many the HSM was asked for.

    Raises `OutcomeNotRecordedError` if the rows are no longer this call's, or the database refuses: then nothing
    leaves, and the rows keep their intent until the sweep calls them unknown.
    """
    try:
        _record_outcomes(reservation, signatures, asked, origin)
    except (AnyDatabaseError, OutcomeNotRecordedError) as error:
        log.critical(
            "call %s: %d signatures made and not recorded, none handed out (%s)",
            reservation.call,
            len(signatures),
            type(error).__name__,
        )
        raise OutcomeNotRecordedError("the outcome could not be recorded") from error


def _record_outcomes(reservation: Reservation, signatures: Sequence[bytes], asked: int, origin: Origin) -> None:
    alias, now = router.db_for_write(ActivatedDigest), timezone.now()
    signed, unknown = AuditEvent.Result.SIGNED.value, AuditEvent.Result.UNKNOWN.value
    results = [signed] * len(signatures) + [unknown] * (asked - len(signatures))
    results += [AuditEvent.Result.NOT_ASKED.value] * (len(reservation.digests) - asked)
    events = make_alike(
        _event(reservation, origin),
        (
            {"digest": digest.hex(), "result": result}
            for digest, result in zip(reservation.digests, results, strict=True)
        ),
    )
    with transaction.atomic(using=alias, durable=True):
        _close_rows(alias, reservation, signatures, now)
        record_events(events)


# --- The ledger's three steps, written out: the ORM would compile them anew for each call ---------------------------

_RESERVE = "UPDATE rssp_activateddigest SET state = %s, call = %s, reserved = %s WHERE state = %s AND id IN ({})"
_INTEND = "UPDATE rssp_activateddigest SET state = %s, intended = %s WHERE call = %s AND state = %s"
_CLOSE = (
    "UPDATE rssp_activateddigest SET state = %s, finished = %s, signature_sha256 = %s"
    " WHERE id = %s AND call = %s AND state = %s"
)


def _adapt(call: uuid.UUID, now: datetime) -> tuple[Any, Any]:
    """As the database of the ledger takes them."""
    connection = connections[router.db_for_write(ActivatedDigest)]
    adapted = ActivatedDigest._meta.get_field("call").get_db_prep_value(call, connection)
    return adapted, connection.ops.adapt_datetimefield_value(now)


def _reserve(rows: tuple[int, ...], call: uuid.UUID, now: datetime) -> int:
    """How many were free."""
    held_by, reserved = _adapt(call, now)
    statement = _RESERVE.format(", ".join(["%s"] * len(rows)))
    with connections[router.db_for_write(ActivatedDigest)].cursor() as cursor:
        cursor.execute(statement, (State.RESERVED.value, held_by, reserved, State.AUTHORISED.value, *rows))
        return int(cursor.rowcount)


def _intend(reservation: Reservation, now: datetime) -> int:
    """How many the call still held."""
    held_by, intended = _adapt(reservation.call, now)
    with connections[router.db_for_write(ActivatedDigest)].cursor() as cursor:
        cursor.execute(_INTEND, (State.INTENDED.value, intended, held_by, State.RESERVED.value))
        return int(cursor.rowcount)


def _close_rows(alias: str, reservation: Reservation, signatures: Sequence[bytes], now: datetime) -> None:
    connection = connections[alias]
    call, finished = _adapt(reservation.call, now)
    ends = [(State.SIGNED.value, finished, sha256(signature).hexdigest()) for signature in signatures]
    ends += [(State.UNKNOWN.value, finished, "")] * (len(reservation.rows) - len(ends))
    with connection.cursor() as cursor:
        held = State.INTENDED.value
        cursor.executemany(_CLOSE, [(*end, pk, call, held) for end, pk in zip(ends, reservation.rows, strict=True)])
        if cursor.rowcount != len(reservation.rows):
            raise OutcomeNotRecordedError("the ledger's row is no longer this call's")


def _event(reservation: Reservation, origin: Origin) -> AuditEvent:
    """What the events of a call have in common."""
    credential = reservation.activation.credential
    return AuditEvent(
        action=AuditEvent.Action.SIGN,
        credential_id=credential.credential_id if credential else "",
        hash_algorithm_oid=reservation.hash_algorithm_oid,
        **describe_activation(reservation.activation, call=reservation.call, origin=origin),
    )
