"""One approval, one key, one certificate: credentials that are made of a request that stands, one for each signature.

The signed attributes hold the certificate's hash, so key and certificate are made when a signature is prepared, before
anybody approves it. Until then they open to nobody: the approval names this very credential, and is by the passkey that
its owner bound to the request. The first approval takes it for good; its signature, or the certificate's end, closes it
and destroys the key. What fails there, the regular rounds do later.
"""

import logging
import uuid
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, router, transaction
from django.db import Error as AnyDatabaseError
from django.db.models import Q
from django.utils import timezone

from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    AuthorityError,
    CredentialDisabledError,
    CredentialError,
    HsmError,
    RequestClosedError,
    TooManyPreparedError,
    UnknownCredentialError,
)
from rssp.models import (
    ActivatedDigest,
    AuditEvent,
    Certificate,
    CertificateRequest,
    Credential,
    OneTimeCredential,
    SigningKey,
    StandingEnd,
)
from rssp.services.auditing import SYSTEM, Origin, record_events, record_refusal
from rssp.services.authority import issue_certificate
from rssp.services.hsm import get_hsm
from rssp.services.issuing import describe_request
from rssp.services.keys import destroy_key, take_key
from rssp.services.lifecycle import destroy_keys_of_ended
from rssp.services.macs import authenticate_credential, bind_passkey, verify_activation_mac, verify_request
from rssp.services.registration import subject_of

log = logging.getLogger(__name__)

State, End = CertificateRequest.State, OneTimeCredential.End

# Longer than making one takes; what is older was a process's that died.
MAKING_LIFETIME = timedelta(minutes=10)
_SPENT = (ActivatedDigest.State.SIGNED, ActivatedDigest.State.UNKNOWN, ActivatedDigest.State.WITHDRAWN)
_BATCH = 100


def list_standing(*, token: VerifiedToken) -> list[CertificateRequest]:
    """The caller's requests that stand, oldest first; a client's own token has none."""
    if token.is_client:
        return []
    rows = CertificateRequest.objects.filter(
        issuer=token.issuer, subject=token.subject, state=State.STANDING, expires__gt=timezone.now()
    )
    return list(rows.select_related("activation").order_by("created", "pk"))


def find_standing(*, token: VerifiedToken, credential_id: str) -> CertificateRequest | None:
    """The caller's own under a credential's identifier. A token of one credential is for another one."""
    if "service" not in token.scopes:
        return None
    return next((row for row in list_standing(token=token) if row.credential_id == credential_id), None)


def prepare_credential(*, token: VerifiedToken, credential_id: str, origin: Origin) -> Credential:
    """A credential with a key and a certificate of its own, which one approval may open once.

    Raises `UnknownCredentialError`, `CredentialDisabledError` (it stands no longer), `TooManyPreparedError`,
    `TamperingError`, `AuthorityError` or `HsmError`; then nothing is kept.
    """
    try:
        request = find_standing(token=token, credential_id=credential_id)
        if request is None:
            raise UnknownCredentialError("no certificates are made of this for this user")
        verify_request(request)
        if request.activation is not None:
            verify_activation_mac(request.activation, [], [])
        get_hsm().verify_available()
        destroy_finished()
        row = _reserve(request)
        return _make(row, request, token, origin)
    except (CredentialError, ActivationError, AuthorityError, HsmError) as error:
        action = AuditEvent.Action.CREATE
        record_refusal(action=action, error=error, token=token, credential_id=credential_id, origin=origin)
        raise


def _reserve(request: CertificateRequest) -> OneTimeCredential:
    """One more that nobody approved. The owner's rows are locked, so that two who come at once count each other."""
    now = timezone.now()
    with transaction.atomic(using=router.db_for_write(CertificateRequest), durable=True):
        owned = CertificateRequest.objects.select_for_update(of=("self",)).filter(
            issuer=request.issuer, subject=request.subject, state=State.STANDING
        )
        held = {row.pk: row for row in owned.order_by("pk")}
        if request.pk not in held or held[request.pk].expires <= now:
            raise CredentialDisabledError("it stands no longer")
        open_ = OneTimeCredential.objects.filter(request__in=held, activation=None, closed=None)
        making, made = Q(credential=None), Q(credential__certificate__not_after__gt=now)
        if open_.filter(making | made).count() >= settings.PREPARED_CREDENTIALS:
            raise TooManyPreparedError("the user has as many as may wait for an approval")
        return OneTimeCredential.objects.create(request=request)


def _make(row: OneTimeCredential, request: CertificateRequest, token: VerifiedToken, origin: Origin) -> Credential:
    key = None
    try:
        key = take_key(key_algorithm=request.key_algorithm, one_time=True)
        certificate = issue_certificate(
            certificate_policy=request.certificate_policy,
            subject=subject_of(certificate_policy=request.certificate_policy, attributes=request.attributes.all()),
            public_key=bytes(key.public_key),
        )
        return _keep(row, request, key, certificate, token, origin)
    except Exception:
        # Whatever it was: no key stays without a credential. Its certificate, if there is one, is for a lost key.
        if key is not None:
            _destroy(key)
        OneTimeCredential.objects.filter(pk=row.pk, credential=None).delete()
        raise


def _keep(
    row: OneTimeCredential,
    request: CertificateRequest,
    key: SigningKey,
    certificate: Certificate,
    token: VerifiedToken,
    origin: Origin,
) -> Credential:
    with transaction.atomic(using=router.db_for_write(Credential), durable=True):
        credential = Credential(
            credential_id=str(uuid.uuid4()),
            issuer=request.issuer,
            subject=request.subject,
            key=key,
            certificate=certificate,
            certificate_policy=request.certificate_policy,
            description=describe_request(request=request),
            multisign=1,
        )
        authenticate_credential(credential)
        credential.save(force_insert=True)
        bind_passkey(
            credential=credential,
            passkey_id=bytes(request.passkey_id),
            public_key=bytes(request.passkey_public_key),
        )
        still = CertificateRequest.objects.filter(pk=request.pk, state=State.STANDING)
        mine = OneTimeCredential.objects.filter(pk=row.pk, credential=None, request__in=still)
        if not mine.update(credential=credential):
            raise CredentialDisabledError("it stands no longer, or it took too long")
        event = AuditEvent(
            action=AuditEvent.Action.CREATE,
            result=AuditEvent.Result.CREATED,
            issuer=request.issuer,
            subject=request.subject,
            client_id=token.client_id,
            credential_id=credential.credential_id,
            reason=f"for one signature, of {request.credential_id}",
            address=origin.address,
            request_id=origin.request_id,
        )
        record_events([event])
    return credential


def close_used(*, credential: Credential, origin: Origin) -> None:
    """After its one signature, whatever became of it: closed, and the key destroyed. Raises nothing, because a
    signature that was made is handed out."""
    try:
        row = OneTimeCredential.objects.filter(credential=credential).select_related("credential").first()
        if row is not None:
            _close(row, End.USED, origin)
        destroy_key(key=credential.key)
    except (HsmError, AnyDatabaseError):
        log.exception("the credential %s was used, and it or its key is still there", credential.credential_id)


def close_finished() -> int:
    """Those whose certificate ended, or that were used and not closed; how many. Needs no token: their keys go when a
    process that has it comes by (`destroy_finished`)."""
    now = timezone.now()
    OneTimeCredential.objects.filter(credential=None, closed=None, created__lt=now - MAKING_LIFETIME).delete()
    rows = OneTimeCredential.objects.filter(closed=None).select_related("credential")
    used = rows.filter(activation__digests__state__in=_SPENT).distinct()
    expired = rows.filter(credential__certificate__not_after__lt=now)
    closed = sum(_close(row, End.USED, SYSTEM) for row in used[:_BATCH])
    return closed + sum(_close(row, End.EXPIRED, SYSTEM) for row in expired[:_BATCH])


def destroy_finished() -> int:
    """Closes what is to be closed and destroys the keys; how many are gone. For processes that have the token."""
    close_finished()
    stranded = SigningKey.objects.filter(
        state=SigningKey.State.ASSIGNED,
        one_time=True,
        credentials=None,
        assigned__lt=timezone.now() - MAKING_LIFETIME,
    )
    return destroy_keys_of_ended() + sum(_destroy(key) for key in stranded[:_BATCH])


def withdraw_standing(*, request: CertificateRequest, reason: str, origin: Origin) -> None:
    """For good, in the caller's transaction, which audits it: no certificates are made of it any more, and those that
    are there sign nothing. `destroy_keys_of_ended` is for afterwards. Raises `RequestClosedError` (it does not stand).
    """
    rows = CertificateRequest.objects.filter(pk=request.pk, state=State.STANDING)
    if not rows.update(state=State.ENDED, closed=timezone.now(), reason=reason[:255]):
        raise RequestClosedError("it does not stand")
    StandingEnd.objects.filter(request=request, confirmed=None, withdrawn=None).update(withdrawn=timezone.now())
    open_ = OneTimeCredential.objects.filter(request=request, closed=None).exclude(credential=None)
    for row in open_.select_related("credential"):
        _close(row, End.WITHDRAWN, origin)


def _close(row: OneTimeCredential, end: OneTimeCredential.End, origin: Origin) -> bool:
    credential = row.credential
    with transaction.atomic(using=router.db_for_write(OneTimeCredential)):
        still = OneTimeCredential.objects.filter(pk=row.pk, closed=None)
        if credential is None or not still.update(closed=timezone.now(), end=end):
            return False
        Credential.objects.filter(pk=credential.pk).update(status=Credential.Status.ENDED)
        event = AuditEvent(
            action=AuditEvent.Action.END,
            result=AuditEvent.Result.DONE,
            issuer=credential.issuer,
            subject=credential.subject,
            credential_id=credential.credential_id,
            reason=str(end.value),
            address=origin.address,
            request_id=origin.request_id,
        )
        record_events([event])
    return True


def _destroy(key: SigningKey) -> bool:
    try:
        destroy_key(key=key)
    except (HsmError, DatabaseError):
        log.exception("a key for one signature was not destroyed yet")
        return False
    return True
