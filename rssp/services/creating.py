"""``credentials/create``: a key of the HSM's, its certificate, and the passkey that alone will activate it.

The approval's unique nonce is the reservation: it is spent when the HSM is first asked, and good for one credential.
What fails after that leaves no key behind, or an entry in the audit that says which.
"""

import logging
import uuid

from django.conf import settings
from django.db import DatabaseError, router, transaction

from rssp.activation import VerifiedCreation
from rssp.algorithms import KEY_ALGORITHMS
from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    AuthorityError,
    CreationFailedError,
    HsmError,
    InvalidParameterError,
    RsspError,
)
from rssp.models import Activation, AuditEvent, Certificate, Credential, PasskeyBinding, SigningKey
from rssp.pki.subjects import UnverifiedPerson
from rssp.services.activating import record_creation, verify_creation_token
from rssp.services.auditing import Origin, describe_activation, record_events, record_refusal
from rssp.services.authority import issue_certificate, revoke_certificate, verify_issuable
from rssp.services.hsm import get_hsm
from rssp.services.keys import destroy_key, take_key
from rssp.wire import CreateRequest

log = logging.getLogger(__name__)


def create_credential(*, token: VerifiedToken, request: CreateRequest, origin: Origin) -> Credential:
    """The new credential, committed.

    Raises `ActivationError`, `InvalidParameterError` (the request names something else than was approved),
    `AuthorityError`, `HsmError` (nothing is spent) or `CreationFailedError` (the approval is spent).
    """
    try:
        verified = verify_creation_token(token=token)
        _verify_request(request, verified)
        verify_issuable(certificate_policy=verified.certificate_policy, subject=_subject(verified))
        get_hsm().verify_available()
        activation = record_creation(verified=verified, token=token)
    except (ActivationError, AuthorityError, HsmError) as error:
        record_refusal(action=AuditEvent.Action.CREATE, error=error, token=token, credential_id="", origin=origin)
        raise
    return _make(verified, activation, origin)


def _verify_request(request: CreateRequest, verified: VerifiedCreation) -> None:
    if request.certificate_policy != verified.certificate_policy:
        raise InvalidParameterError("certificatePolicy")
    if request.key_algorithm != verified.key_algorithm or request.key_algorithm not in KEY_ALGORITHMS:
        raise InvalidParameterError("keyAlgorithm")


def _make(verified: VerifiedCreation, activation: Activation, origin: Origin) -> Credential:
    """Everything after the approval is spent; undone as far as it came if a part of it fails."""
    credential = Credential(
        credential_id=str(uuid.uuid4()),
        issuer=settings.ISSUER,
        subject=verified.subject,
        certificate_policy=verified.certificate_policy,
        description=_describe(verified),
    )
    key, certificate = None, None
    try:
        credential.key = key = take_key(key_algorithm=verified.key_algorithm)
        credential.certificate = certificate = issue_certificate(
            certificate_policy=verified.certificate_policy,
            subject=_subject(verified),
            public_key=bytes(key.public_key),
        )
        _keep(credential, verified, activation, origin)
    except Exception as error:
        # Whatever it was: no key stays without a credential.
        log.exception("no credential was made")
        _undo(credential, key, certificate, activation, error, origin)
        raise CreationFailedError("no credential was made") from error
    return credential


def _keep(credential: Credential, verified: VerifiedCreation, activation: Activation, origin: Origin) -> None:
    with transaction.atomic(using=router.db_for_write(Credential), durable=True):
        credential.save(force_insert=True)
        PasskeyBinding.objects.create(
            credential=credential, passkey_id=verified.passkey_id, public_key=verified.passkey_public_key
        )
        Activation.objects.filter(pk=activation.pk).update(credential=credential)
        record_events([_event(credential, activation, AuditEvent.Result.CREATED, "", origin)])


def _undo(
    credential: Credential,
    key: SigningKey | None,
    certificate: Certificate | None,
    activation: Activation,
    error: Exception,
    origin: Origin,
) -> None:
    """No key without a credential: it is destroyed, and the audit says if that failed too."""
    reason = type(error).__name__
    if key is not None:
        try:
            destroy_key(key=key)
            reason += "; the key was destroyed"
        except (HsmError, DatabaseError):
            named = bytes(key.key_id).hex()
            log.error("the key %s was not destroyed", named)
            reason += f"; the key {named} was NOT destroyed"
    if certificate is not None:
        try:
            revoke_certificate(certificate=certificate, reason="cessation_of_operation")
            reason += "; the certificate was revoked"
        except (RsspError, DatabaseError):
            log.error("the certificate %s was not revoked", certificate.serial_number)
            reason += "; the certificate was NOT revoked"
    record_events([_event(credential, activation, AuditEvent.Result.FAILED, reason, origin)])


def _event(credential: Credential, activation: Activation, result: str, reason: str, origin: Origin) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.CREATE,
        result=result,
        credential_id=credential.credential_id,
        reason=reason[:255],
        **describe_activation(activation, call=None, origin=origin),
    )


def _subject(verified: VerifiedCreation) -> UnverifiedPerson:
    return UnverifiedPerson(common_name=verified.common_name, email=verified.email)


def _describe(verified: VerifiedCreation) -> str:
    kind = verified.key_algorithm.upper().replace("-", " ")
    return f"{verified.common_name[:200]}, {kind}, {verified.certificate_policy}"[:255]
