"""Requests for certificates: opened by an approval, decided by a policy or by operators, ended.

A refused or expired request's key is destroyed. Each decision and its entry in the audit are one transaction.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, router, transaction
from django.utils import timezone

from rssp.activation import VerifiedCreation
from rssp.errors import EvidenceMissingError, HsmError, OwnRequestError, RequestClosedError, SecondOperatorError
from rssp.models import Activation, AuditEvent, CertificateRequest, RequestAttribute, RequestDecision, SigningKey
from rssp.services.auditing import Origin, describe_activation, record_events
from rssp.services.keys import destroy_key
from rssp.services.macs import authenticate_request
from rssp.services.operating import Operator, operator_event
from rssp.services.registration import COMMON_NAME, EMAIL, registration_of, verify_stated

log = logging.getLogger(__name__)

State, Source, Verdict = CertificateRequest.State, RequestAttribute.Source, RequestDecision.Verdict

_SHORTEST_TEXT, _LONGEST_TEXT = 3, 2000


def open_request(
    *,
    credential_id: str,
    verified: VerifiedCreation,
    activation: Activation,
    key: SigningKey | None,
    origin: Origin,
) -> CertificateRequest:
    """The request that an approval stands for, committed: ``waiting`` for an operator, or ``approved`` by its policy.
    Without ``key``, which is made for each signature then, ``standing`` comes in the place of ``approved``."""
    waits = registration_of(certificate_policy=verified.certificate_policy) in {"approval", "claims"}
    settled, expires = (State.APPROVED, settings.REQUEST_DAYS) if key else (State.STANDING, settings.SHORT_LIVED_DAYS)
    with transaction.atomic(using=router.db_for_write(CertificateRequest), durable=True):
        request = CertificateRequest(
            credential_id=credential_id,
            issuer=activation.issuer,
            subject=verified.subject,
            client_id=verified.client_id,
            certificate_policy=verified.certificate_policy,
            key=key,
            key_algorithm="" if key else verified.key_algorithm,
            passkey_id=verified.passkey_id,
            passkey_public_key=verified.passkey_public_key,
            activation=activation,
            state=State.WAITING if waits else settled,
            expires=timezone.now() + timedelta(days=settings.REQUEST_DAYS if waits else expires),
        )
        authenticate_request(request)
        request.save(force_insert=True)
        RequestAttribute.objects.create(request=request, name=COMMON_NAME, value=verified.common_name)
        RequestAttribute.objects.create(
            request=request, name=EMAIL, value=verified.email, **_email_verification(verified, activation)
        )
        record_events(
            [
                AuditEvent(
                    action=AuditEvent.Action.CREATE,
                    result=AuditEvent.Result.REQUESTED,
                    credential_id=credential_id,
                    reason=f"{request.certificate_policy}: {request.state}",
                    **describe_activation(activation, call=None, origin=origin),
                )
            ]
        )
    return request


def _email_verification(verified: VerifiedCreation, activation: Activation) -> dict[str, object]:
    if not verified.email_verified:
        return {}
    return {"source": Source.EMAIL_LINK, "verifier": activation.issuer, "verified": timezone.now()}


def approve_request(
    *, request: CertificateRequest, stated: Mapping[str, str], evidence: str, operator: Operator
) -> CertificateRequest:
    """One operator's approval. ``stated`` are the attributes that the evidence shows; the second of two operators
    confirms those of the first. When there are enough, the answer's state is ``approved``, or ``standing`` if it has no
    key.

    Raises `RequestClosedError`, `OwnRequestError`, `SecondOperatorError`, `EvidenceMissingError`,
    `AttributeDiffersError` or `CertificateSubjectError`; then nothing has changed.
    """
    text = _read_text(evidence)
    with transaction.atomic(using=router.db_for_write(CertificateRequest)):
        held = _lock(request, operator)
        if not held.decisions.exists():
            values = verify_stated(
                certificate_policy=held.certificate_policy,
                owner=held.subject,
                common_name=held.attributes.get(name=COMMON_NAME).value,
                stated=stated,
            )
            record_verification(
                request=held, values=values, source=Source.OPERATOR, verifier=operator.name, evidence=text
            )
        _decide(held, Verdict.APPROVED, text, operator)
        enough = held.decisions.count() >= operators_needed()
        if enough:
            settle_request(request=held)
        done = "approved" if enough else "approved by the first of two operators"
        record_events([operator_event(held.credential_id, f"certificate request {done}: {text}", operator)])
    return held


def refuse_request(*, request: CertificateRequest, reason: str, operator: Operator) -> CertificateRequest:
    """Refused for good, by one operator; the owner reads the reason. The key is destroyed.

    Raises `RequestClosedError`, `OwnRequestError`, `SecondOperatorError` or `EvidenceMissingError`.
    """
    text = _read_text(reason)
    with transaction.atomic(using=router.db_for_write(CertificateRequest)):
        held = _lock(request, operator)
        _decide(held, Verdict.REFUSED, text, operator)
        _move(held, State.REFUSED, reason=text[:255], closed=timezone.now())
        record_events([operator_event(held.credential_id, f"certificate request refused: {text}", operator)])
    destroy_request_key(request=held)
    return held


def abandon_request(*, request: CertificateRequest) -> None:
    """Of a creation that failed: its caller destroys the key and says in the audit why."""
    rows = CertificateRequest.objects.filter(pk=request.pk, state__in=[State.WAITING, State.APPROVED])
    rows.update(state=State.REFUSED, reason="no certificate could be made", closed=timezone.now())


def operators_needed() -> int:
    return 2 if "requests" in settings.FOUR_EYES else 1


def expire_requests() -> int:
    """Requests that nobody decided in time, or that could not be issued in time. Their keys go when a process that has
    the token comes by (`destroy_ended_keys`)."""
    now = timezone.now()
    open_ = CertificateRequest.objects.filter(
        state__in=[State.WAITING, State.APPROVED, State.STANDING], expires__lte=now
    )
    ended = 0
    for request in open_.order_by("pk")[:100]:
        with transaction.atomic(using=router.db_for_write(CertificateRequest)):
            still = CertificateRequest.objects.filter(pk=request.pk, state=request.state)
            reason = "it stood long enough" if request.state == State.STANDING else "nobody decided in time"
            if still.update(state=State.EXPIRED, closed=now, reason=reason):
                event = AuditEvent(
                    action=AuditEvent.Action.CREATE,
                    result=AuditEvent.Result.FAILED,
                    issuer=request.issuer,
                    subject=request.subject,
                    credential_id=request.credential_id,
                    reason="the certificate request expired",
                )
                record_events([event])
                ended += 1
    return ended


def destroy_ended_keys() -> int:
    """The keys of requests that ended without a certificate; how many are gone. For processes that have the token."""
    ended = CertificateRequest.objects.filter(
        state__in=[State.REFUSED, State.EXPIRED], key__credentials=None, key__state=SigningKey.State.ASSIGNED
    )
    return sum(destroy_request_key(request=request) for request in ended.select_related("key")[:20])


def destroy_request_key(*, request: CertificateRequest) -> bool:
    """Whether the key is gone; if the token cannot be reached, `destroy_ended_keys` comes back to it. A key that a
    credential has, which a renewal was asked for, stays."""
    if request.key is None or request.key.credentials.exists():
        return False
    try:
        destroy_key(key=request.key)
    except (HsmError, DatabaseError):
        log.error("the key of the ended request %s was not destroyed yet", request.credential_id)
        return False
    return True


def _read_text(text: str) -> str:
    cleaned = text.strip()
    if not _SHORTEST_TEXT <= len(cleaned) <= _LONGEST_TEXT:
        raise EvidenceMissingError("evidence")
    return cleaned


def _lock(request: CertificateRequest, operator: Operator) -> CertificateRequest:
    """The request, locked for this transaction (SQLite has one writer): it waits, and this operator may decide."""
    rows = CertificateRequest.objects.select_for_update(of=("self",)).select_related("key")
    held: CertificateRequest = rows.get(pk=request.pk)
    if held.state != State.WAITING or held.expires <= timezone.now():
        raise RequestClosedError(held.state if held.state != State.WAITING else State.EXPIRED.value)
    if operator.subject and operator.subject == held.subject:
        raise OwnRequestError("nobody decides on their own request")
    if any(operator.is_same(name=each.operator, subject=each.subject) for each in held.decisions.all()):
        raise SecondOperatorError("this operator has decided already")
    return held


def record_verification(
    *, request: CertificateRequest, values: Mapping[str, str], source: str, verifier: str, evidence: str
) -> None:
    """In the caller's transaction: the attributes (`verify_stated`), and that the name asked for is verified."""
    how = {"source": source, "verifier": verifier[:255], "verified": timezone.now(), "evidence": evidence}
    request.attributes.filter(name=COMMON_NAME).update(**how)
    RequestAttribute.objects.bulk_create(
        RequestAttribute(request=request, name=name, value=value, **how) for name, value in values.items()
    )


def _decide(request: CertificateRequest, verdict: str, text: str, operator: Operator) -> None:
    try:
        with transaction.atomic(using=router.db_for_write(RequestDecision)):
            RequestDecision.objects.create(
                request=request,
                operator=operator.name[:255],
                subject=operator.subject[:255],
                verdict=verdict,
                text=text,
            )
    except IntegrityError:
        raise SecondOperatorError("this operator has decided already") from None


def settle_request(*, request: CertificateRequest) -> None:
    """Decided for the owner, in the caller's transaction: to be issued, or standing where it has no key. Raises
    `RequestClosedError`."""
    if request.key is None:
        _move(request, State.STANDING, expires=timezone.now() + timedelta(days=settings.SHORT_LIVED_DAYS))
    else:
        _move(request, State.APPROVED)


def _move(request: CertificateRequest, state: str, **changes: object) -> None:
    rows = CertificateRequest.objects.filter(pk=request.pk, state=State.WAITING)
    if not rows.update(state=state, **changes):
        raise RequestClosedError("decided")
    request.refresh_from_db()
