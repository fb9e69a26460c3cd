"""``credentials/changePasskeys``: a further passkey for a credential, or its end there.

Only a passkey that is bound already says so, by an approval of its own kind that this service verifies with its own
code and its own copy of that passkey's key. The approval, the change and its entry in the audit are one transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import router, transaction
from django.utils import timezone

from rssp.activation import VerifiedBinding
from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    ActivationRefusedError,
    HsmError,
    InvalidParameterError,
    UnknownCredentialError,
)
from rssp.models import Activation, AuditEvent, Credential, PasskeyBinding
from rssp.services.activating import record_binding, verify_approved_since, verify_binding_token
from rssp.services.auditing import Origin, describe_activation, record_events, record_refusal
from rssp.services.hsm import get_hsm
from rssp.services.macs import authenticate_binding, bind_passkey, verify_binding, verify_credential
from rssp.wire import ChangePasskeysRequest

MOST_PASSKEYS = 10


@dataclass(frozen=True)
class BoundPasskey:
    """A passkey that may sign with a credential."""

    passkey_id: bytes
    bound: datetime


def change_passkeys(*, token: VerifiedToken, request: ChangePasskeysRequest, origin: Origin) -> list[BoundPasskey]:
    """The passkeys that are bound afterwards, oldest first.

    Raises `UnknownCredentialError` (another's, or ended), `ActivationError`, `InvalidParameterError` (the request says
    something else than was approved), `TamperingError` or `HsmError`; then nothing has changed.
    """
    try:
        return _change(token, request, origin)
    except (ActivationError, HsmError, UnknownCredentialError) as error:
        record_refusal(
            action=AuditEvent.Action.BIND,
            error=error,
            token=token,
            credential_id=request.credential_id,
            origin=origin,
        )
        raise


def _change(token: VerifiedToken, request: ChangePasskeysRequest, origin: Origin) -> list[BoundPasskey]:
    # The token in the HSM is asked before any row is held.
    epoch = get_hsm().read_epoch()
    with transaction.atomic(using=router.db_for_write(Activation), durable=True):
        credential = _lock(token, request.credential_id)
        held = list_bindings(credential=credential)
        passkeys = {bytes(item.passkey_id): bytes(item.public_key) for item in held}
        verified = verify_binding_token(token=token, credential_id=credential.credential_id, passkeys=passkeys)
        if request.action != verified.action:
            raise InvalidParameterError("action")
        verify_approved_since(verified=verified, epoch=epoch)
        activation = record_binding(verified=verified, token=token, epoch=epoch)
        if verified.action == "bind":
            _bind(credential, held, verified)
        else:
            _unbind(held, verified)
        event = AuditEvent(
            action=AuditEvent.Action.BIND,
            result=AuditEvent.Result.DONE,
            credential_id=credential.credential_id,
            reason=f"{verified.action} {verified.bound_id.hex()[:64]} by {verified.passkey_id.hex()[:64]}",
            **describe_activation(activation, call=None, origin=origin),
        )
        record_events([event])
        return [BoundPasskey(bytes(item.passkey_id), item.bound) for item in list_bindings(credential=credential)]


def _lock(token: VerifiedToken, credential_id: str) -> Credential:
    """Held until the change is committed, so that of two changes the second sees the first."""
    rows = Credential.objects.select_for_update(of=("self",)).exclude(status=Credential.Status.ENDED)
    owned = rows.filter(credential_id=credential_id, issuer=token.issuer, subject=token.subject)
    credential = owned.select_related("key").first()
    if credential is None:
        raise UnknownCredentialError("there is no such credential for this user")
    verify_credential(credential)
    return credential


def list_bindings(*, credential: Credential) -> list[PasskeyBinding]:
    """The live ones, oldest first, each verified to be this service's own; raises `TamperingError`."""
    found = list(credential.bindings.filter(unbound=None).select_related("credential").order_by("bound", "pk"))
    for binding in found:
        verify_binding(binding)
    return found


def _bind(credential: Credential, held: list[PasskeyBinding], verified: VerifiedBinding) -> None:
    if any(bytes(item.passkey_id) == verified.bound_id for item in held):
        raise ActivationRefusedError("the passkey is bound already")
    if len(held) >= MOST_PASSKEYS:
        raise ActivationRefusedError("the credential has as many passkeys as it may have")
    bind_passkey(credential=credential, passkey_id=verified.bound_id, public_key=verified.bound_public_key)


def _unbind(held: list[PasskeyBinding], verified: VerifiedBinding) -> None:
    binding = next((item for item in held if bytes(item.passkey_id) == verified.bound_id), None)
    if binding is None or bytes(binding.public_key) != verified.bound_public_key:
        raise ActivationRefusedError("the passkey is not bound to this credential")
    binding.unbound = timezone.now()
    authenticate_binding(binding)
    binding.save(update_fields=["unbound", "mac"])
