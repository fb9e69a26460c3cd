"""An operator makes a credential that another provider's tokens open. That is the consent to their weakness: no other
credential is opened by them, and none is changed into such a one."""

import logging
import uuid

from django.conf import settings
from django.db import router, transaction

from rssp.algorithms import KEY_ALGORITHMS
from rssp.errors import AuthenticationObjectError, CreationFailedError
from rssp.models import AuditEvent, Credential
from rssp.pki.subjects import UnverifiedPerson
from rssp.services.auditing import record_events
from rssp.services.authority import issue_certificate, verify_issuable
from rssp.services.creating_explicit import undo_creation
from rssp.services.hsm import get_hsm
from rssp.services.keys import take_key
from rssp.services.macs import authenticate_credential
from rssp.services.operating import Operator

log = logging.getLogger(__name__)


def create_external_credential(
    *, subject: str, common_name: str, certificate_policy: str, key_algorithm: str, reason: str, operator: Operator
) -> Credential:
    """The new credential of the provider's user ``subject``, committed: SCAL 1, one signature a token.

    Raises `AuthenticationObjectError` where there is no provider, `AuthorityError`, `HsmError` or
    `CreationFailedError`; then no key is left.
    """
    if not settings.EXTERNAL_ISSUER:
        raise AuthenticationObjectError("There is no other provider: EXTERNAL_ISSUER names none.")
    if key_algorithm not in KEY_ALGORITHMS or not 0 < len(subject) <= 255:
        raise AuthenticationObjectError("There is no such key algorithm, or the subject has no usable length.")
    person = UnverifiedPerson(common_name=common_name)
    verify_issuable(certificate_policy=certificate_policy, subject=person)
    get_hsm().verify_available()
    kind = key_algorithm.upper().replace("-", " ")
    credential = Credential(
        credential_id=str(uuid.uuid4()),
        issuer=settings.EXTERNAL_ISSUER,
        subject=subject,
        certificate_policy=certificate_policy,
        description=f"{common_name[:100]}, {kind}, opened by another provider's tokens (weaker than a passkey)",
        scal="1",
        auth_mode=Credential.AuthMode.EXTERNAL,
        multisign=1,
    )
    key, certificate = None, None
    try:
        credential.key = key = take_key(key_algorithm=key_algorithm)
        credential.certificate = certificate = issue_certificate(
            certificate_policy=certificate_policy, subject=person, public_key=bytes(key.public_key)
        )
        with transaction.atomic(using=router.db_for_write(Credential), durable=True):
            authenticate_credential(credential)
            credential.save(force_insert=True)
            record_events([_event(credential, reason, operator)])
    except Exception as error:
        # Whatever it was: no key stays without a credential.
        log.exception("no credential for another provider's tokens was made")
        undo_creation(credential, key, certificate, operator)
        raise CreationFailedError("no credential was made") from error
    return credential


def _event(credential: Credential, reason: str, operator: Operator) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.CREATE,
        result=AuditEvent.Result.CREATED,
        issuer=credential.issuer,
        subject=credential.subject,
        factors="operator",
        credential_id=credential.credential_id,
        reason=f"{credential.auth_mode}; by {operator.name}: {reason}"[:255],
        address=operator.address,
        request_id=operator.request_id,
    )
