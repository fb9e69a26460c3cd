"""From an approved request to a credential. Claimed first, so that two who come at once ask for one certificate."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import DatabaseError, router, transaction
from django.db.models import Q
from django.utils import timezone

from rssp.errors import (
    AuthorityError,
    CreationFailedError,
    HsmError,
    IssuerRefusedError,
    RequestClosedError,
    RsspError,
    TamperingError,
    WrongCertificateError,
)
from rssp.models import AuditEvent, Certificate, CertificateRequest, Credential
from rssp.pki.outside import parse_certificates
from rssp.services.auditing import SYSTEM, Origin, describe_activation, record_events
from rssp.services.issuers import issue, issuer_of, needs_token, renewed_certificate, sign_certification_request
from rssp.services.keys import destroy_key
from rssp.services.macs import (
    authenticate_activation,
    authenticate_credential,
    bind_passkey,
    verify_activation_mac,
    verify_credential,
    verify_request,
)
from rssp.services.operating import Operator, operator_event
from rssp.services.outside import keep_certificate, verify_certificate
from rssp.services.registration import COMMON_NAME, subject_of
from rssp.services.requests import destroy_request_key
from rssp.services.revoking import revoke_certificate

log = logging.getLogger(__name__)

State = CertificateRequest.State
# Longer than any authority is waited for; a claim that is older was a process's that died.
CLAIM_LIFETIME = timedelta(minutes=10)
LONGEST_CERTIFICATE_FILE = 256 * 1024


def issue_request(*, request: CertificateRequest, origin: Origin = SYSTEM) -> CertificateRequest:
    """Has the certificate issued and makes the credential; the answer's state says what became of it.

    ``issued``, or ``refused`` for good by the authority. Raises `RequestClosedError` (not approved, or somebody else is
    at it), and `HsmError` or another `AuthorityError` when it may be tried again: then it stays ``approved``.
    """
    held = _claim(request)
    try:
        subject = subject_of(certificate_policy=held.certificate_policy, attributes=held.attributes.all())
        certificate = issue(request=held, subject=subject)
    except (IssuerRefusedError, WrongCertificateError) as error:
        return _refuse(held, str(error), origin)
    except (AuthorityError, HsmError) as error:
        _release(held, str(error))
        raise
    return _make_credential(held, certificate, origin)


def import_certificate(*, request: CertificateRequest, data: bytes, operator: Operator) -> CertificateRequest:
    """The certificate that an outside authority issued for an exported request, with its chain or without (PEM or DER).

    Raises `RequestClosedError` or `WrongCertificateError`; then nothing has changed.
    """
    held = _claim(request)
    try:
        leaf, *beside = parse_certificates(data)
        chain = verify_certificate(
            der=leaf,
            beside=beside,
            public_key=bytes(held.own_key.public_key),
            common_name=held.attributes.get(name=COMMON_NAME).value,
        )
        certificate = keep_certificate(
            chain=chain, certificate_policy=held.certificate_policy, renews=renewed_certificate(request=held)
        )
    except WrongCertificateError as error:
        _release(held, str(error))
        raise
    record_events([operator_event(held.credential_id, f"certificate {certificate.serial_number} imported", operator)])
    return _make_credential(held, certificate, Origin(operator.request_id, operator.address))


def export_request(*, request: CertificateRequest, operator: Operator) -> bytes:
    """The PKCS#10 (DER) of an approved request for an outside authority; audited each time. Raises
    `RequestClosedError` or `HsmError`."""
    if request.state != State.APPROVED:
        raise RequestClosedError(request.state)
    subject = subject_of(certificate_policy=request.certificate_policy, attributes=request.attributes.all())
    der = sign_certification_request(request=request, subject=subject)
    record_events([operator_event(request.credential_id, "certification request exported", operator)])
    return der


def retry_requests() -> int:
    """For the regular round, which has no token: asks outside authorities again for what was approved; how many were
    issued."""
    done = 0
    for request in _retriable():
        try:
            done += issue_request(request=request).state == State.ISSUED
        except (AuthorityError, HsmError, RequestClosedError) as error:
            log.warning("the request %s is not issued yet: %s", request.credential_id, error)
    return done


def _retriable() -> Sequence[CertificateRequest]:
    rows = CertificateRequest.objects.filter(state=State.APPROVED, expires__gt=timezone.now()).select_related("key")
    found = rows.exclude(certification_request=b"").order_by("claimed", "pk")[:20]
    return [
        row
        for row in found
        if not needs_token(request=row) and issuer_of(certificate_policy=row.certificate_policy) == "cmp"
    ]


def _claim(request: CertificateRequest) -> CertificateRequest:
    now = timezone.now()
    free = Q(claimed=None) | Q(claimed__lt=now - CLAIM_LIFETIME)
    rows = CertificateRequest.objects.filter(free, pk=request.pk, state=State.APPROVED, expires__gt=now)
    if not rows.update(claimed=now):
        raise RequestClosedError("it is not approved, or somebody else has it issued now")
    related = ("key", "activation", "renews__key", "renews__certificate")
    held = CertificateRequest.objects.select_related(*related).get(pk=request.pk)
    try:
        verify_request(held)
        if held.activation is not None:
            verify_activation_mac(held.activation, [], [])
        if held.renews is not None:
            _verify_renewed(held, held.renews)
    except TamperingError as error:
        log.critical("the request %s: %s", held.credential_id, error)
        record_events([_event(held, AuditEvent.Result.TAMPERED, str(error), SYSTEM)])
        raise
    return held


def _verify_renewed(held: CertificateRequest, old: Credential) -> None:
    """What is made anew is made of what this service wrote."""
    if old.credential_id != held.credential_id:
        raise TamperingError("the renewal is of another credential")
    verify_credential(old)


def _release(held: CertificateRequest, reason: str) -> None:
    rows = CertificateRequest.objects.filter(pk=held.pk, state=State.APPROVED, claimed=held.claimed)
    rows.update(claimed=None, reason=reason[:255])


def _refuse(held: CertificateRequest, reason: str, origin: Origin) -> CertificateRequest:
    with transaction.atomic(using=router.db_for_write(CertificateRequest)):
        rows = CertificateRequest.objects.filter(pk=held.pk, state=State.APPROVED, claimed=held.claimed)
        if rows.update(state=State.REFUSED, reason=reason[:255], closed=timezone.now()):
            record_events([_event(held, AuditEvent.Result.REFUSED, f"refused by the authority: {reason}", origin)])
    destroy_request_key(request=held)
    held.refresh_from_db()
    return held


def _make_credential(held: CertificateRequest, certificate: Certificate, origin: Origin) -> CertificateRequest:
    """Raises `CreationFailedError`: what cannot be kept is good for nothing, so the certificate is revoked again."""
    try:
        _keep_credential(held, certificate, origin)
    except Exception as error:
        try:
            revoke_certificate(certificate=certificate, reason="cessation_of_operation")
            done = "the certificate was revoked"
        except (RsspError, DatabaseError):
            log.error("the certificate %s was not revoked", certificate.serial_number)
            done = "the certificate was NOT revoked"
        raise CreationFailedError(done) from error
    held.refresh_from_db()
    return held


def _keep_credential(held: CertificateRequest, certificate: Certificate, origin: Origin) -> None:
    if held.renews is not None:
        _renew_credential(held, held.renews, certificate, origin)
        return
    with transaction.atomic(using=router.db_for_write(Credential), durable=True):
        credential = Credential(
            credential_id=held.credential_id,
            issuer=held.issuer,
            subject=held.subject,
            key=held.own_key,
            certificate=certificate,
            certificate_policy=held.certificate_policy,
            description=describe_request(request=held),
        )
        authenticate_credential(credential)
        credential.save(force_insert=True)
        bind_passkey(
            credential=credential, passkey_id=bytes(held.passkey_id), public_key=bytes(held.passkey_public_key)
        )
        if held.activation is not None:
            held.activation.credential = credential
            authenticate_activation(held.activation, [])
            held.activation.save(update_fields=["credential", "mac"])
        rows = CertificateRequest.objects.filter(pk=held.pk, state=State.APPROVED, claimed=held.claimed)
        if not rows.update(state=State.ISSUED, made=credential, reason="", closed=timezone.now()):
            raise RequestClosedError("somebody else ended it")
        record_events([_event(held, AuditEvent.Result.CREATED, "", origin)])


def _renew_credential(held: CertificateRequest, old: Credential, certificate: Certificate, origin: Origin) -> None:
    """The credential gets the certificate, and the key if it is another one; what it had before ends then."""
    old_key, has_new_key = old.key, held.key_id != old.key_id
    with transaction.atomic(using=router.db_for_write(Credential), durable=True):
        rows = Credential.objects.filter(pk=old.pk, certificate=old.certificate_id, key=old.key_id)
        if has_new_key:
            revoke_certificate(certificate=old.certificate, reason="superseded")
        old.key = held.own_key
        authenticate_credential(old)
        ready = rows.exclude(status=Credential.Status.ENDED)
        if not ready.update(certificate=certificate, key=held.key_id, mac=old.mac):
            raise RequestClosedError("the credential is another one by now")
        done = CertificateRequest.objects.filter(pk=held.pk, state=State.APPROVED, claimed=held.claimed)
        if not done.update(state=State.ISSUED, reason="", closed=timezone.now()):
            raise RequestClosedError("somebody else ended it")
        record_events([_event(held, AuditEvent.Result.CREATED, f"renewed: {certificate.serial_number}", origin)])
    if has_new_key:
        try:
            destroy_key(key=old_key)
        except (HsmError, DatabaseError):
            log.error("the old key of the credential %s was not destroyed: see list_orphan_keys", held.credential_id)


def describe_request(*, request: CertificateRequest) -> str:
    """What the credential is called by: the name, the kind of key, the policy."""
    name = request.attributes.get(name=COMMON_NAME).value
    kind = request.kind_of_key.upper().replace("-", " ")
    return f"{name[:200]}, {kind}, {request.certificate_policy}"[:255]


def _event(held: CertificateRequest, result: str, reason: str, origin: Origin) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.CREATE,
        result=result,
        credential_id=held.credential_id,
        reason=reason[:255],
        **(
            {
                "issuer": held.issuer,
                "subject": held.subject,
                "address": origin.address,
                "request_id": origin.request_id,
            }
            if held.activation is None
            else describe_activation(held.activation, call=None, origin=origin)
        ),
    )
