"""An operator makes, unlocks and mends explicit credentials. Each act is audited; none of them signs for the user.

The certificate is one like any other. What opens the key is not: no passkey of the signer's approved its making.
"""

import logging
import uuid
from collections.abc import Sequence

from django.conf import settings
from django.db import DatabaseError, router, transaction

from rssp.algorithms import KEY_ALGORITHMS
from rssp.errors import AuthenticationObjectError, CreationFailedError, HsmError, RsspError
from rssp.models import AuditEvent, AuthenticationObject, Certificate, Credential, PasskeyBinding, SigningKey
from rssp.pki.subjects import UnverifiedPerson
from rssp.services.auditing import record_events
from rssp.services.authority import issue_certificate, verify_issuable
from rssp.services.explicit import NewObject, add_objects, verify_objects, verify_pin
from rssp.services.factors import forget_tries, place_of
from rssp.services.hsm import get_hsm
from rssp.services.keys import destroy_key, take_key
from rssp.services.macs import authenticate_credential, bind_passkey, verify_binding
from rssp.services.objects import list_objects
from rssp.services.operating import Operator
from rssp.services.pins import keep_pin
from rssp.services.revoking import revoke_certificate
from rssp.services.sealing import seal

log = logging.getLogger(__name__)

Kind, AuthMode = AuthenticationObject.Kind, Credential.AuthMode
DEFAULT_MULTISIGN = 100


def create_explicit_credential(
    *,
    subject: str,
    common_name: str,
    certificate_policy: str,
    key_algorithm: str,
    objects: Sequence[NewObject],
    expression: str = "",
    is_implicit: bool = False,
    scal: str = "2",
    multisign: int = DEFAULT_MULTISIGN,
    reason: str,
    operator: Operator,
) -> Credential:
    """The new credential of the user ``subject`` at our issuer, committed. A passkey among the ``objects`` is one that
    another credential of the user is bound to already; an implicit credential has that object alone. The certificate
    carries no e-mail address: nobody verified one.

    Raises `ExplicitModeError`, `AuthorityError`, `HsmError` or `CreationFailedError`; then no key is left.
    """
    written = verify_objects(objects=objects, expression=expression)
    if key_algorithm not in KEY_ALGORITHMS:
        raise AuthenticationObjectError("There is no such key algorithm.")
    if scal not in {"1", "2"} or not 1 <= multisign <= DEFAULT_MULTISIGN:
        raise AuthenticationObjectError(f"SCAL is 1 or 2, multisign 1 to {DEFAULT_MULTISIGN}.")
    if is_implicit and [each.kind for each in objects] != [Kind.PASSKEY]:
        raise AuthenticationObjectError("An implicit credential has a passkey alone.")
    bindings = _find_bindings(subject) if any(each.kind == Kind.PASSKEY for each in objects) else []
    person = UnverifiedPerson(common_name=common_name)
    verify_issuable(certificate_policy=certificate_policy, subject=person)
    get_hsm().verify_available()
    credential = Credential(
        credential_id=str(uuid.uuid4()),
        issuer=settings.ISSUER,
        subject=subject,
        certificate_policy=certificate_policy,
        description=_describe(common_name, key_algorithm, written),
        scal=scal,
        auth_mode=AuthMode.IMPLICIT if is_implicit else AuthMode.EXPLICIT,
        auth_expression=written,
        multisign=multisign,
    )
    key, certificate = None, None
    try:
        credential.key = key = take_key(key_algorithm=key_algorithm)
        credential.certificate = certificate = issue_certificate(
            certificate_policy=certificate_policy, subject=person, public_key=bytes(key.public_key)
        )
        _keep(credential, objects, bindings, _event(credential, f"by {operator.name}: {reason}", operator))
    except Exception as error:
        # Whatever it was: no key stays without a credential.
        log.exception("no explicit credential was made")
        undo_creation(credential, key, certificate, operator)
        raise CreationFailedError("no credential was made") from error
    return credential


def _find_bindings(subject: str) -> list[PasskeyBinding]:
    """The user's passkeys as this service knows them, each once."""
    rows = PasskeyBinding.objects.filter(
        credential__issuer=settings.ISSUER, credential__subject=subject, unbound=None
    ).order_by("pk")
    rows = rows.select_related("credential")
    for row in rows:
        verify_binding(row)
    found = {bytes(row.passkey_id): row for row in rows}
    if not found:
        raise AuthenticationObjectError("No credential of this user is bound to a passkey.")
    return list(found.values())


def _keep(
    credential: Credential, objects: Sequence[NewObject], bindings: Sequence[PasskeyBinding], event: AuditEvent
) -> None:
    with transaction.atomic(using=router.db_for_write(Credential), durable=True):
        authenticate_credential(credential)
        credential.save(force_insert=True)
        add_objects(credential=credential, objects=objects)
        for binding in bindings:
            bind_passkey(
                credential=credential, passkey_id=bytes(binding.passkey_id), public_key=bytes(binding.public_key)
            )
        record_events([event])


def undo_creation(
    credential: Credential, key: SigningKey | None, certificate: Certificate | None, operator: Operator
) -> None:
    """As far as it came; the audit says what was left."""
    left = []
    try:
        if key is not None:
            destroy_key(key=key)
    except (HsmError, DatabaseError):
        left.append(f"the key {bytes(key.key_id).hex() if key else ''} was NOT destroyed")
    try:
        if certificate is not None:
            revoke_certificate(certificate=certificate, reason="cessation_of_operation")
    except (RsspError, DatabaseError):
        left.append("the certificate was NOT revoked")
    event = _event(credential, "; ".join(["undone", *left]), operator)
    event.result = AuditEvent.Result.FAILED
    record_events([event])


def unlock_credential(*, credential: Credential, reason: str, operator: Operator) -> bool:
    """Gives all its factors their tries back; whether one of them had lost any."""
    objects = list_objects(credential=credential)
    if not any(each.attempts for each in objects):
        return False
    with transaction.atomic(using=router.db_for_write(Credential)):
        forget_tries(objects=objects)
        record_events([_administer(credential, f"unlocked: {reason}", operator)])
    return True


def set_pin(*, credential: Credential, pin: str, reason: str, operator: Operator) -> None:
    """A new PIN in the place of the first one. Raises `AuthenticationObjectError`."""
    verify_pin(pin=pin)
    found = next((each for each in list_objects(credential=credential) if each.kind == Kind.PIN), None)
    if found is None:
        raise AuthenticationObjectError("This credential has no PIN.")
    found.secret = seal(value=keep_pin(pin=pin, place=place_of(found)), place=place_of(found))
    found.format = "N" if pin.isascii() and pin.isdigit() else "A" if pin.isascii() and pin.isalnum() else ""
    with transaction.atomic(using=router.db_for_write(Credential)):
        found.save(update_fields=["secret", "format"])
        forget_tries(objects=[found])
        record_events([_administer(credential, f"PIN set: {reason}", operator)])


def _describe(common_name: str, key_algorithm: str, expression: str) -> str:
    kind = key_algorithm.upper().replace("-", " ")
    return f"{common_name[:100]}, {kind}, opened by {expression[:60]} (explicit mode, weaker than OAuth with a passkey)"


def _event(credential: Credential, reason: str, operator: Operator) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.CREATE,
        result=AuditEvent.Result.CREATED,
        issuer=credential.issuer,
        subject=credential.subject,
        factors="operator",
        credential_id=credential.credential_id,
        reason=f"{credential.auth_mode}, {credential.auth_expression}; {reason}"[:255],
        address=operator.address,
        request_id=operator.request_id,
    )


def _administer(credential: Credential, reason: str, operator: Operator) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.ADMINISTER,
        result=AuditEvent.Result.DONE,
        subject=operator.name[:255],
        credential_id=credential.credential_id,
        reason=reason[:255],
        address=operator.address,
        request_id=operator.request_id,
    )
