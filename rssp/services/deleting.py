"""``credentials/delete``: a credential's end, approved by its owner with a passkey that is bound to it.

The approval, the end and its entry in the audit are one transaction; the key goes after it, and where the token cannot
be reached just then, the regular rounds come back to it. A credential that stands for certificates of one signature
each is ended with all that were prepared of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import router, transaction
from django.utils import timezone

from rssp.activation import VerifiedDeletion
from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    CredentialEndedError,
    HsmError,
    InvalidParameterError,
    RequestClosedError,
    UnknownCredentialError,
)
from rssp.models import Activation, AuditEvent, Certificate, CertificateRequest, Credential
from rssp.services.activating import record_deletion, verify_approved_since, verify_deletion_token
from rssp.services.auditing import Origin, describe_activation, record_events, record_refusal
from rssp.services.hsm import get_hsm
from rssp.services.lifecycle import destroy_keys_of_ended, end_own_credential
from rssp.services.macs import verify_activation_mac, verify_binding, verify_credential, verify_request
from rssp.services.one_time import withdraw_standing
from rssp.wire import DeleteRequest

_REASONS = {
    "unspecified": Certificate.Reason.UNSPECIFIED,
    "keyCompromise": Certificate.Reason.KEY_COMPROMISE,
    "affiliationChanged": Certificate.Reason.AFFILIATION_CHANGED,
    "superseded": Certificate.Reason.SUPERSEDED,
    "cessationOfOperation": Certificate.Reason.CESSATION_OF_OPERATION,
}


@dataclass(frozen=True)
class _Owned:
    """What is to be ended, and the passkeys that may say so: identifiers and COSE keys."""

    found: Credential | CertificateRequest
    passkeys: Mapping[bytes, bytes]


def delete_credential(*, token: VerifiedToken, request: DeleteRequest, origin: Origin) -> None:
    """Raises `UnknownCredentialError` (another's, or ended already), `ActivationError`, `InvalidParameterError` (the
    request says something else than was approved), `TamperingError` or `HsmError`; then nothing has changed."""
    try:
        owned = _find(token, request.credential_id)
        verified = verify_deletion_token(token=token, credential_id=request.credential_id, passkeys=owned.passkeys)
        if request.revocation_reason != verified.revocation_reason:
            raise InvalidParameterError("revocationReason" if request.revocation_reason else "revoke")
        _end(owned.found, verified, token, origin)
    except (ActivationError, HsmError, UnknownCredentialError) as error:
        action = AuditEvent.Action.END
        record_refusal(action=action, error=error, token=token, credential_id=request.credential_id, origin=origin)
        raise
    destroy_keys_of_ended()


def _find(token: VerifiedToken, credential_id: str) -> _Owned:
    owner = {"credential_id": credential_id, "issuer": token.issuer, "subject": token.subject}
    credentials = Credential.objects.filter(**owner).exclude(status=Credential.Status.ENDED).select_related("key")
    if (credential := credentials.first()) is not None:
        verify_credential(credential)
        bindings = list(credential.bindings.filter(unbound=None).select_related("credential"))
        for binding in bindings:
            verify_binding(binding)
        return _Owned(credential, {bytes(item.passkey_id): bytes(item.public_key) for item in bindings})
    standing = CertificateRequest.objects.filter(
        **owner, state=CertificateRequest.State.STANDING, expires__gt=timezone.now()
    )
    if (request := standing.select_related("activation").first()) is not None:
        verify_request(request)
        if request.activation is not None:
            verify_activation_mac(request.activation, [], [])
        return _Owned(request, {bytes(request.passkey_id): bytes(request.passkey_public_key)})
    raise UnknownCredentialError("there is no such credential for this user")


def _end(
    found: Credential | CertificateRequest, verified: VerifiedDeletion, token: VerifiedToken, origin: Origin
) -> None:
    epoch = get_hsm().read_epoch()
    verify_approved_since(verified=verified, epoch=epoch)
    reason = _REASONS[verified.revocation_reason] if verified.revocation_reason else ""
    told = f"deleted by its owner; {f'revoked ({reason})' if reason else 'not revoked'}"
    try:
        with transaction.atomic(using=router.db_for_write(Activation), durable=True):
            activation = record_deletion(verified=verified, token=token, epoch=epoch)
            if isinstance(found, Credential):
                end_own_credential(credential=found, revocation_reason=reason)
            else:
                withdraw_standing(request=found, reason=told, origin=origin)
            event = AuditEvent(
                action=AuditEvent.Action.END,
                result=AuditEvent.Result.DONE,
                credential_id=found.credential_id,
                reason=told,
                **describe_activation(activation, call=None, origin=origin),
            )
            record_events([event])
    except (CredentialEndedError, RequestClosedError):
        # Somebody else ended it meanwhile.
        raise UnknownCredentialError("there is no such credential for this user") from None
