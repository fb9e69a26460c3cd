"""Which passkeys sign with a certificate: asking for a change, and handing its approval on."""

import secrets
import uuid
from typing import Any

from django.contrib.sessions.backends.base import SessionBase

from signapp.clients import gateway
from signapp.errors import ApprovalStaleError, JobLostError, ServiceUnavailableError
from signapp.services import pending
from signapp.services.logins import Account
from signapp.services.signing import APPROVAL_SECONDS

ACTIONS = ("bind", "unbind")


def request_change(*, session: SessionBase, account: Account, token: str, credential_id: str, action: str) -> str:
    """The address to send the browser to, where the passkey is chosen and the change approved.

    Raises `ServiceUnavailableError`, `CertificateNotUsableError`.
    """
    state = secrets.token_urlsafe(32)
    approval = gateway.request_passkey_change(token=token, credential_id=credential_id, action=action, state=state)
    if approval.request_id is None:
        raise ServiceUnavailableError
    pending.remember(
        session=session,
        kind=pending.APPROVAL,
        state=state,
        seconds=APPROVAL_SECONDS,
        subject=account.subject,
        passkey_change=str(approval.request_id),
    )
    return approval.authorization_url


def complete_change(*, token: str, begun: dict[str, Any], code: str, iss: str) -> int:
    """Hands the code to the gateway; how many passkeys sign afterwards. Raises approval errors."""
    try:
        change = uuid.UUID(begun["passkey_change"])
        return gateway.complete_passkey_change(token=token, request_id=change, code=code, iss=iss)
    except JobLostError:
        raise ApprovalStaleError from None
