"""``credentials/create``: a key of the HSM's, a request for its certificate, and the passkey that will activate it.

The approval's unique nonce is the reservation: it is spent when the HSM is first asked, and good for one credential.
Where the policy wants no operator, the certificate is issued at once; otherwise the request waits. Of a policy whose
certificates are for one signature each there is no key yet: the request will stand (`rssp.services.one_time`). What
fails after the approval is spent leaves no key behind, or an entry in the audit that says which.
"""

import logging
import uuid

from django.db import DatabaseError

from rssp.activation import VerifiedCreation
from rssp.algorithms import KEY_ALGORITHMS
from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    AuthorityError,
    CreationFailedError,
    HsmError,
    InvalidParameterError,
    IssuerRefusedError,
    IssuerUnavailableError,
)
from rssp.models import Activation, AuditEvent, CertificateRequest, SigningKey
from rssp.services.activating import record_creation, verify_creation_token
from rssp.services.auditing import Origin, describe_activation, record_events, record_refusal
from rssp.services.authority import verify_issuable
from rssp.services.hsm import get_hsm
from rssp.services.issuers import BUILT_IN, issuer_of
from rssp.services.issuing import issue_request
from rssp.services.keys import destroy_key, take_key
from rssp.services.lifecycle import destroy_keys_of_ended
from rssp.services.registration import is_for_one_signature, provisional_subject, verify_requestable
from rssp.services.requests import abandon_request, destroy_ended_keys, open_request
from rssp.wire import CreateRequest

log = logging.getLogger(__name__)


def create_credential(*, token: VerifiedToken, request: CreateRequest, origin: Origin) -> CertificateRequest:
    """The request, committed: ``issued`` with its credential, ``waiting`` for an operator, or ``approved`` while an
    outside authority is to be asked again; ``standing`` where a certificate is made for each signature.

    Raises `ActivationError`, `InvalidParameterError` (the request names something else than was approved),
    `AuthorityError`, `HsmError` (nothing is spent), `IssuerRefusedError` or `CreationFailedError` (the approval is
    spent).
    """
    try:
        verified = verify_creation_token(token=token)
        _verify_request(request, verified)
        _verify_possible(verified)
        get_hsm().verify_available()
        activation = record_creation(verified=verified, token=token, epoch=get_hsm().read_epoch())
    except (ActivationError, AuthorityError, HsmError) as error:
        record_refusal(action=AuditEvent.Action.CREATE, error=error, token=token, credential_id="", origin=origin)
        raise
    destroy_ended_keys()
    destroy_keys_of_ended()
    return _make(verified, activation, origin)


def _verify_possible(verified: VerifiedCreation) -> None:
    verify_requestable(
        certificate_policy=verified.certificate_policy,
        common_name=verified.common_name,
        email=verified.email,
        email_verified=verified.email_verified,
    )
    if issuer_of(certificate_policy=verified.certificate_policy) == BUILT_IN:
        verify_issuable(
            certificate_policy=verified.certificate_policy,
            subject=provisional_subject(
                certificate_policy=verified.certificate_policy, common_name=verified.common_name
            ),
        )


def _verify_request(request: CreateRequest, verified: VerifiedCreation) -> None:
    if request.certificate_policy != verified.certificate_policy:
        raise InvalidParameterError("certificatePolicy")
    if request.key_algorithm != verified.key_algorithm or request.key_algorithm not in KEY_ALGORITHMS:
        raise InvalidParameterError("keyAlgorithm")


def _make(verified: VerifiedCreation, activation: Activation, origin: Origin) -> CertificateRequest:
    """Everything after the approval is spent; undone as far as it came if a part of it fails."""
    credential_id = str(uuid.uuid4())
    key, request = None, None
    try:
        if not is_for_one_signature(certificate_policy=verified.certificate_policy):
            key = take_key(key_algorithm=verified.key_algorithm)
        request = open_request(
            credential_id=credential_id, verified=verified, activation=activation, key=key, origin=origin
        )
        if request.state == CertificateRequest.State.APPROVED:
            request = issue_request(request=request, origin=origin)
    except IssuerUnavailableError:
        log.warning("the request %s waits for the authority outside", credential_id)
    except Exception as error:
        # Whatever it was: no key stays without a credential.
        log.exception("no credential was made")
        _undo(credential_id, key, request, activation, error, origin)
        raise CreationFailedError("no credential was made") from error
    if request is None:  # it is there, or something else was raised
        raise CreationFailedError("no credential was made")
    if request.state == CertificateRequest.State.REFUSED:
        raise IssuerRefusedError(request.reason)
    return request


def _undo(
    credential_id: str,
    key: SigningKey | None,
    request: CertificateRequest | None,
    activation: Activation,
    error: Exception,
    origin: Origin,
) -> None:
    """No key without a credential: it is destroyed, and the audit says if that failed too."""
    reason = type(error.__cause__ or error).__name__
    if key is not None:
        try:
            destroy_key(key=key)
            reason += "; the key was destroyed"
        except (HsmError, DatabaseError):
            named = bytes(key.key_id).hex()
            log.error("the key %s was not destroyed", named)
            reason += f"; the key {named} was NOT destroyed"
    if isinstance(error, CreationFailedError):
        reason += f"; {error}"
    if request is not None:
        abandon_request(request=request)
    event = AuditEvent(
        action=AuditEvent.Action.CREATE,
        result=AuditEvent.Result.FAILED,
        credential_id=credential_id,
        reason=reason[:255],
        **describe_activation(activation, call=None, origin=origin),
    )
    record_events([event])
