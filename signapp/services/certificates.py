"""A person's certificates: which there are, and asking for a new one."""

import secrets
import uuid
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from signapp.clients import gateway
from signapp.errors import ApprovalStaleError, JobLostError, ServiceUnavailableError
from signapp.services import pending
from signapp.services.logins import Account
from signapp.services.signing import APPROVAL_SECONDS
from signapp.wire import Certificate, CertificateRequest, clean_path

__all__ = [
    "Certificate",
    "CertificateRequest",
    "create_certificate",
    "list_certificates",
    "list_requests",
    "request_certificate",
]


def list_certificates(*, token: str) -> list[Certificate]:
    """Raises `ServiceUnavailableError`, `LoginRequiredError`."""
    return gateway.list_credentials(token=token)


def list_requests(*, token: str) -> list[CertificateRequest]:
    """Those without a certificate: open ones, and what ended lately. Raises as `list_certificates`."""
    return gateway.list_requests(token=token)


def request_certificate(
    *, session: SessionBase, account: Account, token: str, key_algorithm: str = "rsa-2048", next_path: str = "/"
) -> str:
    """The address to send the browser to, where the certificate is approved. Raises `ServiceUnavailableError`."""
    state = secrets.token_urlsafe(32)
    approval = gateway.request_credential(
        token=token, certificate_policy=settings.CERTIFICATE_POLICY, key_algorithm=key_algorithm, state=state
    )
    if approval.request_id is None:
        raise ServiceUnavailableError
    pending.remember(
        session=session,
        kind=pending.APPROVAL,
        state=state,
        seconds=APPROVAL_SECONDS,
        subject=account.subject,
        request_id=str(approval.request_id),
        next=clean_path(next_path),
    )
    return approval.authorization_url


def create_certificate(*, token: str, begun: dict[str, Any], code: str, iss: str) -> Certificate | CertificateRequest:
    """Hands the code to the gateway, which redeems it and has the certificate made or requested; asked again it answers
    the same. Raises approval errors."""
    try:
        return gateway.complete_credential(token=token, request_id=uuid.UUID(begun["request_id"]), code=code, iss=iss)
    except JobLostError:
        raise ApprovalStaleError from None
