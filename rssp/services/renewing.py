"""A newer certificate for a credential: for the key that it has, or for a new one. Its identifier and passkeys stay.

A renewal is a request like another one, with what was verified before: whoever issues is asked in the same way, and a
second operator approves where requests need two. The credential signs with what it has until the new certificate is
there.
"""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from rssp.errors import CredentialEndedError, EvidenceMissingError, OwnRequestError, RequestClosedError
from rssp.models import CertificateRequest, Credential, RequestAttribute, RequestDecision, SigningKey
from rssp.services.auditing import record_events
from rssp.services.keys import destroy_key, take_key
from rssp.services.macs import authenticate_request
from rssp.services.operating import Operator, operator_event
from rssp.services.registration import subject_of
from rssp.services.requests import operators_needed

State = CertificateRequest.State

_SHORTEST_TEXT, _LONGEST_TEXT = 3, 200


def request_renewal(*, credential: Credential, new_key: bool, text: str, operator: Operator) -> CertificateRequest:
    """The request, ``approved`` to be issued, or ``waiting`` for a second operator.

    Raises `EvidenceMissingError`, `OwnRequestError`, `CredentialEndedError`, `CertificateSubjectError` (nobody verified
    what the certificate would say), `RequestClosedError` (there is a renewal on its way) or `HsmError`; then nothing
    has changed.
    """
    reason = text.strip()
    if not _SHORTEST_TEXT <= len(reason) <= _LONGEST_TEXT:
        raise EvidenceMissingError("text")
    if operator.subject and operator.subject == credential.subject:
        raise OwnRequestError("nobody renews their own credential as an operator")
    if credential.status == Credential.Status.ENDED:
        raise CredentialEndedError("the credential is ended")
    known = RequestAttribute.objects.filter(request__made=credential).order_by("pk")
    subject_of(certificate_policy=credential.certificate_policy, attributes=known)
    key = take_key(key_algorithm=credential.key.key_algorithm) if new_key else credential.key
    try:
        return _open(credential, key=key, known=list(known), reason=reason, operator=operator)
    except IntegrityError:
        raise RequestClosedError("a renewal is on its way") from None
    finally:
        if new_key and not key.requests.exists():
            destroy_key(key=key)


def _open(
    credential: Credential, *, key: SigningKey, known: list[RequestAttribute], reason: str, operator: Operator
) -> CertificateRequest:
    with transaction.atomic(using=router.db_for_write(CertificateRequest), durable=True):
        request = CertificateRequest(
            credential_id=credential.credential_id,
            renews=credential,
            issuer=credential.issuer,
            subject=credential.subject,
            client_id="",
            certificate_policy=credential.certificate_policy,
            key=key,
            passkey_id=b"",
            passkey_public_key=b"",
            state=State.WAITING if operators_needed() > 1 else State.APPROVED,
            expires=timezone.now() + timedelta(days=settings.REQUEST_DAYS),
        )
        authenticate_request(request)
        request.save(force_insert=True)
        RequestAttribute.objects.bulk_create(
            RequestAttribute(
                request=request,
                name=row.name,
                value=row.value,
                source=row.source,
                verifier=row.verifier,
                verified=row.verified,
                evidence=row.evidence,
            )
            for row in known
        )
        RequestDecision.objects.create(
            request=request,
            operator=operator.name[:255],
            subject=operator.subject[:255],
            verdict=RequestDecision.Verdict.APPROVED,
            text=reason,
        )
        kind = "the same key" if key.pk == credential.key_id else "a new key"
        record_events([operator_event(credential.credential_id, f"renewal with {kind} requested: {reason}", operator)])
    return request
