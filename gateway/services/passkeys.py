"""Which passkeys sign with a credential: asking for the approval of a change, and handing it on."""

import logging
import secrets
import uuid
from typing import Any

from django.conf import settings

from gateway import documents
from gateway.clients import authorization_server, rssp
from gateway.clients.authorization_server import PushedRequest
from gateway.errors import (
    ApprovalRefusedError,
    AuthorizationServerNotReachedError,
    GatewayError,
    JobNotFoundError,
    WrongStateError,
)
from gateway.models import PasskeyChange, retention_end
from gateway.services.callers import VerifiedCaller
from gateway.wire import TokenAnswer, binding_details, is_same_approval

log = logging.getLogger(__name__)
_SCOPE = "passkey-binding"


def request_change(
    *, caller: VerifiedCaller, credential_id: str, action: str, state: str
) -> tuple[PasskeyChange, PushedRequest]:
    """Asks for the approval. ``state`` is the caller's own and is not kept. Raises `CredentialNotUsableError` where the
    credential is not the caller's."""
    credential = rssp.read_credential(token=caller.token, credential_id=credential_id)
    verifier = secrets.token_urlsafe(48)
    label = credential.label[:255]
    details = binding_details(credential_id=credential_id, credential_label=label, action=action)
    pushed = authorization_server.push_request(scope=_SCOPE, details=details, state=state, verifier=verifier)
    change = PasskeyChange.objects.create(
        issuer=caller.issuer,
        subject=caller.subject,
        credential_id=credential_id,
        credential_label=label,
        action=action,
        approval_secrets=documents.encrypt_text(verifier),
        expires_at=retention_end(),
    )
    return change, pushed


def complete_change(*, caller: VerifiedCaller, change_id: uuid.UUID, code: str, iss: str) -> dict[str, Any]:
    """Redeems the code once and has the change made; asked again, it answers the same.

    Raises `JobNotFoundError`, approval errors, `WrongStateError`, `AuthorizationServerUnavailableError`,
    `SigningServiceUnavailableError`.
    """
    owned = PasskeyChange.objects.filter(issuer=caller.issuer, subject=caller.subject, pk=change_id)
    change = owned.first()
    if change is None:
        raise JobNotFoundError("There is no such request.")
    if not secrets.compare_digest(iss.encode(), settings.ISSUER.encode()):
        raise ApprovalRefusedError
    if change.passkeys is not None:
        done: dict[str, Any] = change.passkeys
        return done
    kept = change.approval_secrets
    if not kept or not owned.filter(approval_secrets=kept).update(approval_secrets=""):
        raise WrongStateError
    try:
        answer = authorization_server.redeem_code(code=code, verifier=documents.decrypt_text(kept))
    except AuthorizationServerNotReachedError:
        owned.filter(approval_secrets="", state=PasskeyChange.State.AUTHORIZING).update(approval_secrets=kept)
        raise
    try:
        _verify_answer(change, answer)
        passkeys = rssp.change_passkeys(
            token=answer.access_token, credential_id=change.credential_id, action=change.action
        )
    except GatewayError as error:
        owned.update(state=PasskeyChange.State.FAILED, error_code=error.code)
        raise
    described = {"credential_id": change.credential_id, "action": change.action, "passkeys": passkeys}
    owned.update(state=PasskeyChange.State.DONE, passkeys=described)
    return described


def _verify_answer(change: PasskeyChange, answer: TokenAnswer) -> None:
    asked = binding_details(
        credential_id=change.credential_id, credential_label=change.credential_label, action=change.action
    )
    fits = (
        answer.scope.split() == [_SCOPE]
        and answer.sub == change.subject
        and is_same_approval(asked, answer.authorization_details)
    )
    if not fits:
        log.warning("passkey change %s: the token does not fit the approval that was asked for", change.pk)
        raise ApprovalRefusedError
