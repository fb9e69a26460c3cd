"""A user's credentials, and requests for new ones."""

import logging
import secrets
import uuid
from typing import Any

from django.conf import settings

from gateway import documents
from gateway.clients import authorization_server, rssp
from gateway.clients.authorization_server import PushedRequest
from gateway.clients.rssp import Listing
from gateway.errors import (
    ApprovalRefusedError,
    AuthorizationServerNotReachedError,
    GatewayError,
    JobNotFoundError,
    WrongStateError,
)
from gateway.models import CredentialRequest, retention_end
from gateway.services.callers import VerifiedCaller
from gateway.wire import (
    CertificateRequest,
    TokenAnswer,
    certificate_request_to_json,
    creation_details,
    credential_to_json,
    is_same_approval,
)

log = logging.getLogger(__name__)


def list_credentials(*, caller: VerifiedCaller) -> Listing:
    """The caller's own, of a client the seals that it may use, and requests for certificates, as the signing service
    tells them to the caller's token."""
    return rssp.list_credentials(token=caller.token, seal_owner=caller.seal_owner)


def request_credential(
    *, caller: VerifiedCaller, certificate_policy: str, key_algorithm: str, state: str
) -> tuple[CredentialRequest, PushedRequest]:
    """Asks for the approval of a new credential. ``state`` is the caller's own and is not kept."""
    verifier = secrets.token_urlsafe(48)
    details = creation_details(certificate_policy=certificate_policy, key_algorithm=key_algorithm)
    pushed = authorization_server.push_request(
        scope="credential-creation", details=details, state=state, verifier=verifier
    )
    request = CredentialRequest.objects.create(
        issuer=caller.issuer,
        subject=caller.subject,
        certificate_policy=certificate_policy,
        key_algorithm=key_algorithm,
        approval_secrets=documents.encrypt_text(verifier),
        expires_at=retention_end(),
    )
    return request, pushed


def complete_credential_request(
    *, caller: VerifiedCaller, request_id: uuid.UUID, code: str, iss: str
) -> dict[str, Any]:
    """Redeems the code once and has the credential made, or a certificate requested: the answer then has a ``state``.
    Asked again, it answers the same.

    Raises `JobNotFoundError`, approval errors, `WrongStateError`, `AuthorizationServerUnavailableError`,
    `SigningServiceUnavailableError`.
    """
    owned = CredentialRequest.objects.filter(issuer=caller.issuer, subject=caller.subject, pk=request_id)
    request = owned.first()
    if request is None:
        raise JobNotFoundError("There is no such request.")
    if not secrets.compare_digest(iss.encode(), settings.ISSUER.encode()):
        raise ApprovalRefusedError
    if request.credential is not None:
        done: dict[str, Any] = request.credential
        return done
    kept = request.approval_secrets
    if not kept or not owned.filter(approval_secrets=kept).change(approval_secrets=""):
        raise WrongStateError
    try:
        answer = authorization_server.redeem_code(code=code, verifier=documents.decrypt_text(kept))
    except AuthorizationServerNotReachedError:
        owned.filter(approval_secrets="", state=CredentialRequest.State.AUTHORIZING).change(approval_secrets=kept)
        raise
    try:
        _verify_answer(request, answer)
        credential = rssp.create_credential(
            token=answer.access_token,
            certificate_policy=request.certificate_policy,
            key_algorithm=request.key_algorithm,
        )
    except GatewayError as error:
        owned.change(state=CredentialRequest.State.FAILED, error_code=error.code)
        raise
    if isinstance(credential, CertificateRequest):
        described = certificate_request_to_json(credential)
    else:
        described = credential_to_json(credential)
    owned.change(state=CredentialRequest.State.CREATED, credential=described)
    return described


def _verify_answer(request: CredentialRequest, answer: TokenAnswer) -> None:
    asked = creation_details(certificate_policy=request.certificate_policy, key_algorithm=request.key_algorithm)
    fits = (
        answer.scope.split() == ["credential-creation"]
        and answer.sub == request.subject
        and is_same_approval(asked, answer.authorization_details)
    )
    if not fits:
        log.warning("credential request %s: the token does not fit the approval that was asked for", request.pk)
        raise ApprovalRefusedError
