"""The one address that every approval comes back to. Which approval it is, its ``state`` says, in the browser that
asked for it and nowhere else."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from signapp.clients.login_servers import login_server
from signapp.errors import (
    ApprovalDeniedError,
    ApprovalExpiredError,
    ApprovalNotVerifiedError,
    ApprovalStaleError,
    LoginNotVerifiedError,
)
from signapp.models import Batch, Document
from signapp.services import certificates, passkeys, pending, signing
from signapp.services.batches import approving
from signapp.services.logins import Account
from signapp.wire import Certificate, CertificateRequest


@dataclass(frozen=True)
class Completed:
    """A document that was approved, or several, or a certificate that was made or requested and the path to go on to,
    or how many passkeys sign with a certificate now."""

    document: Document | None = None
    batch: Batch | None = None
    certificate: Certificate | CertificateRequest | None = None
    next_path: str = "/"
    passkeys: int | None = None


def complete(
    *, session: SessionBase, account: Account, token: str, state: str, code: str, iss: str, error: str
) -> Completed:
    """The same answer again is harmless: it tells where the document stands.

    Raises `ApprovalStaleError` for a state that this browser and account did not ask with, `ApprovalNotVerifiedError`
    for another ``iss`` (RFC 9207) or no code, `ApprovalDeniedError`, and what the gateway makes of the code.
    """
    begun = pending.find(session=session, kind=pending.APPROVAL, state=state or "")
    if begun is None or begun["subject"] != account.subject:
        raise ApprovalStaleError
    try:
        login_server().verify_issuer(iss or "")
    except LoginNotVerifiedError:
        raise ApprovalNotVerifiedError from None
    iss = settings.ISSUER  # which another provider need not say
    is_document = "document_id" in begun
    if error:
        if is_document:
            signing.deny_document(account=account, begun=begun)
        if "batch_id" in begun:
            approving.deny_batch(account=account, begun=begun)
        raise ApprovalDeniedError if error == "access_denied" else ApprovalExpiredError
    if not code:
        raise ApprovalNotVerifiedError
    if is_document:
        return Completed(
            document=signing.approve_document(account=account, token=token, begun=begun, code=code, iss=iss)
        )
    if "batch_id" in begun:
        return Completed(batch=approving.approve_batch(account=account, token=token, begun=begun, code=code, iss=iss))
    if "passkey_change" in begun:
        return Completed(passkeys=passkeys.complete_change(token=token, begun=begun, code=code, iss=iss))
    made = certificates.create_certificate(token=token, begun=begun, code=code, iss=iss)
    return Completed(certificate=made, next_path=begun["next"])
