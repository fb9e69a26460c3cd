"""``credentials/extendTransaction``: a new SAD for what an authorisation has left (CSC API v2, 11.9).

The old SAD is dead when this commits; what was counted stays counted. An access token as SAD is not extended: a
passkey approved it as it is.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import router, transaction
from django.utils import timezone

from rssp.clients.introspection import VerifiedToken, checksum_of
from rssp.errors import (
    ActivationError,
    ActivationExpiredError,
    CredentialError,
    MissingParameterError,
    TooManyHashesError,
)
from rssp.models import ActivatedDigest, Activation, AuditEvent, Credential, Extension
from rssp.services.auditing import Origin, describe_activation, record_events, record_refusal
from rssp.services.authorising import bind_digests, find_activation, make_slots, verify_explicit
from rssp.services.credentials import find_credential, verify_usable
from rssp.services.hsm import get_hsm
from rssp.services.ledger import lock_activation, read_slots, verify_current_sad, verify_epoch
from rssp.services.macs import authenticate_extension, verify_credential
from rssp.wire import ExtendRequest, decode_hashes

# However often it is extended, an authorisation ends: the signer's factors were right a while ago.
LONGEST_LIFE = timedelta(hours=1)


def extend_transaction(*, bearer: VerifiedToken, request: ExtendRequest, origin: Origin) -> tuple[str, int]:
    """The new SAD and how many seconds it lives. Raises what `extend` raises, and the parser's errors of hashes."""
    try:
        credential = find_credential(token=bearer, credential_id=request.credential_id)
        digests = None if request.hashes is None else decode_hashes(request.hashes)
        extension, sad = extend(
            sad=request.sad,
            bearer=bearer,
            credential=credential,
            digests=digests,
            hash_algorithm_oid=request.hash_algorithm_oid,
            origin=origin,
        )
    except (CredentialError, ActivationError) as error:
        record_refusal(
            action=AuditEvent.Action.EXTEND,
            error=error,
            token=bearer,
            credential_id=request.credential_id,
            origin=origin,
        )
        raise
    left = extension.expires - timezone.now()
    return sad, max(0, int(left.total_seconds()))


def extend(
    *,
    sad: str,
    bearer: VerifiedToken,
    credential: Credential,
    digests: Sequence[bytes] | None,
    hash_algorithm_oid: str | None,
    origin: Origin,
) -> tuple[Extension, str]:
    """The record and the SAD of an extension: the same authorisation, with ``digests`` bound to what is open of it.

    At SCAL 2 digests must be given as long as some slots are open; at SCAL 1 they bind nothing. Raises what
    `find_activation` and `bind_digests` raise, `CredentialError`, `MissingParameterError`, or `TooManyHashesError` for
    more digests than are open.
    """
    verify_explicit(credential=credential)
    verify_usable(credential=credential)
    verify_credential(credential)
    found = find_activation(sad=sad, bearer=bearer, credential=credential)
    slots = bind_digests(hash_algorithm_oid=hash_algorithm_oid, digests=digests or ())
    epoch = get_hsm().read_epoch()
    fresh = secrets.token_urlsafe(32)
    with transaction.atomic(using=router.db_for_write(Extension), durable=True):
        activation = lock_activation(pk=found.pk)
        verify_epoch(activation=activation, epoch=epoch)
        current = verify_current_sad(activation=activation, sad_checksum=checksum_of(sad))
        bound = len(read_slots(activation=activation))
        if credential.scal == "1":
            slots = []  # its rows for any digest were there from the beginning
        else:
            _verify_open(activation.num_signatures - bound, digests)
        extension = Extension(
            activation=activation,
            number=current.extension + 1,
            sad_checksum=checksum_of(fresh),
            first_position=bound,
            expires=_end_of_life(activation),
        )
        rows = make_slots(activation=activation, slots=slots, first_position=bound)
        authenticate_extension(extension, rows, previous=current.mac)
        extension.save(force_insert=True)
        ActivatedDigest.objects.bulk_create(rows)
        record_events([_event(activation, credential, len(slots), origin)])
    return extension, fresh


def _verify_open(open_slots: int, digests: Sequence[bytes] | None) -> None:
    if open_slots and not digests:
        raise MissingParameterError("hash", kind="array")
    if len(digests or ()) > open_slots:
        raise TooManyHashesError("hash")


def _end_of_life(activation: Activation) -> datetime:
    """As long as the first SAD lived, from now."""
    now = timezone.now()
    end = min(now + (activation.expires - activation.created), activation.created + LONGEST_LIFE)
    if end <= now:
        raise ActivationExpiredError("the authorisation is extended no further")
    return end


def _event(activation: Activation, credential: Credential, bound: int, origin: Origin) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.EXTEND,
        result=AuditEvent.Result.DONE,
        credential_id=credential.credential_id,
        reason=f"{bound} slots bound",
        **describe_activation(activation, call=None, origin=origin),
    )
