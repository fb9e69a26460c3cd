"""Who asks for a certificate, by the claims of another OpenID provider (docs/registration.md).

The owner of a request that waits is sent to the provider and comes back with a code. The browser's session at signapp
keeps the ``state``, so nobody can be led into answering for somebody else, and the code is taken of the request's owner
alone. What the provider says is kept with the request: as evidence for an operator or, where the policy is ``claims``,
as the decision itself.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from rssp.clients import identity_provider
from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    AttributeDiffersError,
    AuthorityError,
    CertificateSubjectError,
    EvidenceMissingError,
    HsmError,
    IdentityRefusedError,
    RequestClosedError,
    UnknownCredentialError,
)
from rssp.models import AuditEvent, CertificateRequest, IdentityProof, RequestAttribute
from rssp.services.auditing import Origin, record_events
from rssp.services.issuing import issue_request
from rssp.services.registration import COMMON_NAME, attributes_to_verify, registration_of, tidy, verify_stated
from rssp.services.requests import record_verification, settle_request

log = logging.getLogger(__name__)

State, Outcome = CertificateRequest.State, IdentityProof.Outcome
# As long as somebody may need to log in elsewhere.
OPEN = timedelta(minutes=10)
_LONGEST_CLAIM = 254


def is_offered(*, request: CertificateRequest) -> bool:
    """Whether the owner may go to the provider: it waits, and it is a person whom a provider can know."""
    return bool(
        settings.IDENTITY_ISSUER
        and request.state == State.WAITING
        and request.renews_id is None
        and "given_name" in attributes_to_verify(certificate_policy=request.certificate_policy)
        and not request.identities.filter(outcome=Outcome.VERIFIED).exists()
    )


def begin_identification(*, token: VerifiedToken, credential_id: str, state: str, origin: Origin) -> str:
    """The address of the provider to send the owner's browser to. What was begun before and not finished is forgotten.

    Raises `UnknownCredentialError`, `RequestClosedError` or `AuthorizationServerUnavailableError`.
    """
    request = _find(token, credential_id)
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)[:64]
    address = identity_provider.build_address(state=state, nonce=nonce, code_verifier=verifier)
    with transaction.atomic(using=router.db_for_write(IdentityProof)):
        held = CertificateRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
        if not is_offered(request=held):
            raise RequestClosedError("nobody is asked who asks for it")
        held.identities.exclude(outcome=Outcome.VERIFIED).delete()
        IdentityProof.objects.create(
            request=held,
            provider=settings.IDENTITY_ISSUER,
            state=_checksum(state),
            nonce=nonce,
            code_verifier=verifier,
            expires=timezone.now() + OPEN,
        )
        record_events([_event(held, AuditEvent.Result.REQUESTED, "identification begun", token, origin)])
    return address


def complete_identification(
    *, token: VerifiedToken, credential_id: str, code: str, state: str, iss: str, origin: Origin
) -> CertificateRequest:
    """What the provider says is kept; the request as it stands then: ``waiting`` for an operator, or decided.

    Each ``state`` is good once, whatever comes of it. Raises `UnknownCredentialError`, `RequestClosedError`,
    `IdentityRefusedError`, `AuthorizationServerUnavailableError`; what `issue_request` raises leaves it ``approved``.
    """
    request = _find(token, credential_id)
    proof = _use(request, state)
    try:
        identity_provider.verify_answer_issuer(iss)
        identity = identity_provider.redeem_code(code=code, code_verifier=proof.code_verifier, nonce=proof.nonce)
        claims = read_claims(identity.claims)
    except IdentityRefusedError as error:
        _refuse(proof, str(error), token, origin)
        raise
    with transaction.atomic(using=router.db_for_write(IdentityProof), durable=True):
        held = CertificateRequest.objects.select_for_update(of=("self",)).select_related("key").get(pk=request.pk)
        if not is_offered(request=held) or held.expires <= timezone.now():
            raise RequestClosedError("it was decided in between")
        proof.outcome, proof.claims = Outcome.VERIFIED, claims
        proof.provider_subject, proof.acr, proof.authenticated = identity.subject, identity.acr, identity.authenticated
        proof.reason = _decide(held, proof)
        proof.save()
        told = f"identified by {proof.provider}" + (f", not decided: {proof.reason}" if proof.reason else "")
        record_events([_event(held, AuditEvent.Result.DONE, told, token, origin)])
    return _issue(held, origin) if held.state == State.APPROVED else held


def read_claims(claims: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that `IDENTITY_CLAIMS` names, as far as the provider told them; all else is left where it is. A
    name with dots leads into objects (``address.country``), and one that begins with a colon is the value itself.

    Raises `IdentityRefusedError` where nothing of it was told, or something longer than any certificate holds.
    """
    found = {}
    for attribute, claim in settings.IDENTITY_CLAIMS.items():
        value = claim[1:] if claim.startswith(":") else _follow(claims, claim)
        if not isinstance(value, str) or not (tidied := tidy(value)):
            continue
        if len(tidied) > _LONGEST_CLAIM:
            raise IdentityRefusedError(f"the claim for {attribute} is too long")
        found[attribute] = tidied
    told = {name for name in found if not settings.IDENTITY_CLAIMS[name].startswith(":")}
    if not told:
        raise IdentityRefusedError("the provider told nothing of who it is")
    return found


def _follow(claims: Mapping[str, Any], path: str) -> Any:
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _find(token: VerifiedToken, credential_id: str) -> CertificateRequest:
    rows = CertificateRequest.objects.filter(
        credential_id=credential_id, issuer=token.issuer, subject=token.subject, made=None, renews=None
    )
    found = None if token.is_client else rows.first()
    if found is None:
        raise UnknownCredentialError("there is no such request of this user's")
    if not is_offered(request=found):
        raise RequestClosedError("nobody is asked who asks for it")
    return found


def _use(request: CertificateRequest, state: str) -> IdentityProof:
    """The proof, used from now on: one of two who come at once has it. Raises `IdentityRefusedError`."""
    now = timezone.now()
    rows = IdentityProof.objects.filter(
        request=request, state=_checksum(state), outcome=Outcome.OPEN, provider=settings.IDENTITY_ISSUER
    )
    proof = rows.filter(expires__gt=now, used=None).first()
    spent = {"outcome": Outcome.REFUSED, "used": now, "reason": "not finished", "nonce": "", "code_verifier": ""}
    if proof is None or not rows.filter(pk=proof.pk, used=None).update(**spent):
        raise IdentityRefusedError("this was not begun, or is used or too old")
    proof.used = now
    return proof


def _refuse(proof: IdentityProof, reason: str, token: VerifiedToken, origin: Origin) -> None:
    with transaction.atomic(using=router.db_for_write(IdentityProof)):
        IdentityProof.objects.filter(pk=proof.pk).update(reason=reason[:255])
        event = _event(proof.request, AuditEvent.Result.REFUSED, f"not identified: {reason}", token, origin)
        record_events([event])


def _decide(held: CertificateRequest, proof: IdentityProof) -> str:
    """Where the policy leaves it to the provider, the request is settled by its claims; else the answer says why an
    operator decides."""
    proof.nonce = proof.code_verifier = ""
    if registration_of(certificate_policy=held.certificate_policy) != "claims":
        return ""
    if held.decisions.exists():
        return "an operator has begun to decide"
    try:
        values = verify_stated(
            certificate_policy=held.certificate_policy,
            owner=held.subject,
            common_name=held.attributes.get(name=COMMON_NAME).value,
            stated=proof.claims,
        )
    except AttributeDiffersError:
        return "the name that was asked for is not the one that was verified"
    except (EvidenceMissingError, CertificateSubjectError) as error:
        return f"the claims make no subject: {error}"[:255]
    when = f"{proof.authenticated:%Y-%m-%d %H:%M:%S} UTC" if proof.authenticated else ""
    evidence = f"ID token of {proof.provider}: sub {proof.provider_subject}, acr {proof.acr or '-'}, logged in {when}"
    record_verification(
        request=held,
        values=values,
        source=RequestAttribute.Source.CLAIMS,
        verifier=proof.provider,
        evidence=evidence,
    )
    settle_request(request=held)
    return ""


def _issue(held: CertificateRequest, origin: Origin) -> CertificateRequest:
    try:
        return issue_request(request=held, origin=origin)
    except (AuthorityError, HsmError, RequestClosedError) as error:
        log.warning("the request %s is not issued yet: %s", held.credential_id, error)
        held.refresh_from_db()
        return held


def _checksum(state: str) -> str:
    return sha256(state.encode()).hexdigest()


def _event(request: CertificateRequest, result: str, reason: str, token: VerifiedToken, origin: Origin) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.CREATE,
        result=result,
        issuer=request.issuer,
        subject=request.subject,
        client_id=token.client_id,
        credential_id=request.credential_id,
        reason=reason[:255],
        address=origin.address,
        request_id=origin.request_id,
    )
