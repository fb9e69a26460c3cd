"""Passkeys out of band: the signer is asked on the authorization server's page while the client waits with a handle.

What comes back is an approval like any other one, and is verified by the same rules: the passkey bound to the
credential signed exactly these digests, for exactly this client. It is not the SAD, which is of this service's making.
"""

import base64
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.utils import timezone

from rssp.activation import SIGNING, VerifiedActivation
from rssp.clients import backchannel, introspection
from rssp.clients.backchannel import Waiting
from rssp.clients.introspection import VerifiedToken, checksum_of
from rssp.errors import (
    ActivationError,
    ActivationRefusedError,
    ApprovalDeniedError,
    AuthorizationServerUnavailableError,
    InvalidParameterError,
    InvalidTokenError,
    TooManyWaitsError,
)
from rssp.models import AuditEvent, AuthenticationObject, Credential, PendingAuthorization
from rssp.services.activating import verify_signing_token
from rssp.services.auditing import Origin, record_refusal
from rssp.services.authorising import Sad, authorise, bind_digests
from rssp.services.credentials import verify_usable
from rssp.services.factors import forget_tries
from rssp.services.ledger import SIGNABLE_HASH_TYPE
from rssp.services.objects import list_objects
from rssp.services.sealing import seal, unseal

State = PendingAuthorization.State
_PLACE = "approval out of band"
_LONGEST_MESSAGE = 200
_PAUSE_SECONDS = 1.0


def ask_signer(
    *,
    credential: Credential,
    token: VerifiedToken,
    factors: str,
    digests: Sequence[bytes],
    hash_algorithm_oid: str | None,
    description: str,
) -> str:
    """The handle of what waits now. ``factors`` is what was verified so far, as the audit will have it.

    Raises `ApprovalDeniedError`, `TooManyChallengesError` or `AuthorizationServerUnavailableError`.
    """
    slots = bind_digests(hash_algorithm_oid=hash_algorithm_oid, digests=digests)
    oid = slots[0][0]
    try:
        asked = backchannel.ask_for_approval(
            subject=credential.subject,
            details=[_describe(credential, token, digests, oid, description)],
            binding_message=_shorten(f"{token.client_id}: {description}" if description else token.client_id),
        )
    except AuthorizationServerUnavailableError:
        forget_asking(credential=credential)  # nobody was asked
        raise
    handle, now = secrets.token_urlsafe(32), timezone.now()
    PendingAuthorization.objects.create(
        handle_checksum=checksum_of(handle),
        credential=credential,
        client_id=token.client_id,
        request=seal(value=asked.request, place=_PLACE),
        hash_algorithm_oid=oid,
        digests=[digest.hex() for digest in digests],
        factors=factors,
        interval=asked.interval,
        next_poll=now,
        created=now,
        expires=now + timedelta(seconds=asked.expires_in),
    )
    return handle


def _describe(
    credential: Credential, token: VerifiedToken, digests: Sequence[bytes], oid: str, description: str
) -> dict[str, object]:
    """docs/protocols.md, section 4. The client's description stands for documents' names, which nobody here knows."""
    return {
        "type": SIGNING,
        "credentialID": credential.credential_id,
        "numSignatures": len(digests),
        "hashAlgorithmOID": oid,
        "documentDigests": [
            {"hash": base64.b64encode(digest).decode(), "label": description, "hashType": SIGNABLE_HASH_TYPE}
            for digest in digests
        ],
        "credentialLabel": credential.description,
        "onBehalfOf": token.client_id,
    }


def _shorten(message: str) -> str:
    return "".join(char if char.isprintable() else " " for char in message)[:_LONGEST_MESSAGE]


def forget_asking(*, credential: Credential) -> None:
    """An answer came, or nobody was asked: asking again is no annoyance."""
    objects = list_objects(credential=credential)
    forget_tries(objects=[each for each in objects if each.kind == AuthenticationObject.Kind.PASSKEY])


def check_authorization(*, token: VerifiedToken, handle: str, origin: Origin) -> Sad | None:
    """The SAD, once; None while the signer has not answered.

    Raises `InvalidParameterError` for a handle that is not this user's and client's or was answered,
    `ApprovalDeniedError`, `CredentialError` or `AuthorizationServerUnavailableError`.
    """
    pending = _find(token, handle)
    if pending.state == State.REFUSED or pending.expires <= timezone.now():
        raise ApprovalDeniedError("the signer refused or did not answer in time")
    verify_usable(credential=pending.credential)
    if not _is_our_turn(pending):
        return None
    try:
        answer = backchannel.poll_approval(request=unseal(sealed=pending.request, place=_PLACE))
        if isinstance(answer, Waiting):
            _wait_longer(pending, answer)
            return None
        approval = _verify(pending, answer)
    except (ApprovalDeniedError, ActivationError) as error:
        PendingAuthorization.objects.filter(pk=pending.pk, state=State.WAITING).update(state=State.REFUSED)
        record_refusal(
            action=AuditEvent.Action.AUTHORISE,
            error=error,
            token=token,
            credential_id=pending.credential.credential_id,
            origin=origin,
        )
        raise ApprovalDeniedError("the approval does not open the credential") from error
    return _authorise(pending, token, approval, origin)


def _find(token: VerifiedToken, handle: str) -> PendingAuthorization:
    rows = PendingAuthorization.objects.select_related("credential__certificate", "credential__key")
    found = rows.filter(
        handle_checksum=checksum_of(handle),
        client_id=token.client_id,
        credential__issuer=token.issuer,
        credential__subject=token.subject,
    ).first()
    if found is None or found.state == State.APPROVED:
        raise InvalidParameterError("handle")
    return found


def _is_our_turn(pending: PendingAuthorization) -> bool:
    """Whether the authorization server may be asked (again) now, by this call and no other."""
    now = timezone.now()
    due = PendingAuthorization.objects.filter(pk=pending.pk, state=State.WAITING, next_poll__lte=now)
    return due.update(next_poll=now + timedelta(seconds=pending.interval)) == 1


def _wait_longer(pending: PendingAuthorization, answer: Waiting) -> None:
    if answer.slower:
        interval = pending.interval + 5
        PendingAuthorization.objects.filter(pk=pending.pk).update(
            interval=interval, next_poll=timezone.now() + timedelta(seconds=interval)
        )


def _verify(pending: PendingAuthorization, access_token: str) -> VerifiedActivation:
    """Whether this is the approval that was asked for: all of it, and nothing else."""
    try:
        told = introspection.verify_token(access_token)
    except InvalidTokenError:
        raise ActivationRefusedError("the approval's token is not alive") from None
    if "credential" not in told.scopes or told.client_id != settings.RSSP_CLIENT_ID:
        raise ActivationRefusedError("the approval's token is for something else")
    approval = verify_signing_token(token=told, credential=pending.credential, on_behalf_of=pending.client_id)
    asked = [(SIGNABLE_HASH_TYPE, bytes.fromhex(digest)) for digest in pending.digests]
    if (approval.hash_algorithm_oid, list(approval.digests)) != (pending.hash_algorithm_oid, asked):
        raise ActivationRefusedError("other digests were approved than were asked for")
    return approval


def _authorise(
    pending: PendingAuthorization, token: VerifiedToken, approval: VerifiedActivation, origin: Origin
) -> Sad:
    waiting = PendingAuthorization.objects.filter(pk=pending.pk, state=State.WAITING)
    if not waiting.update(state=State.APPROVED):
        raise InvalidParameterError("handle")
    _activation, sad = authorise(
        credential=pending.credential,
        token=token,
        factors=pending.factors,
        hash_algorithm_oid=pending.hash_algorithm_oid,
        digests=[digest for _hash_type, digest in approval.digests],
        num_signatures=len(approval.digests),
        lifetime=timedelta(seconds=settings.RSSP_SAD_SECONDS),
        origin=origin,
        approval=approval,
    )
    forget_asking(credential=pending.credential)
    return Sad(sad, settings.RSSP_SAD_SECONDS)


# --- Version 1 knows no handle: its call lasts until the signer has answered --------------------------------


@contextmanager
def waiting_slot() -> Iterator[None]:
    """A place among the calls of this process that may wait; raises `TooManyWaitsError` at once where there is none, so
    that waiting never takes the threads that would answer."""
    slots = _slots(settings.RSSP_APPROVAL_WAITS)
    if not slots.acquire(blocking=False):
        raise TooManyWaitsError("too many calls wait for their signers")
    try:
        yield
    finally:
        slots.release()


@cache
def _slots(count: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(count)


def wait_for_signer(*, token: VerifiedToken, handle: str, origin: Origin) -> Sad:
    """Inside a `waiting_slot`. Raises as `check_authorization`, `ApprovalDeniedError` also when it took too long."""
    deadline = time.monotonic() + settings.RSSP_APPROVAL_WAIT_SECONDS
    while (sad := check_authorization(token=token, handle=handle, origin=origin)) is None:
        if time.monotonic() >= deadline:
            PendingAuthorization.objects.filter(handle_checksum=checksum_of(handle), state=State.WAITING).update(
                state=State.REFUSED
            )
            raise ApprovalDeniedError("the signer did not answer in time")
        time.sleep(_PAUSE_SECONDS)
    return sad
