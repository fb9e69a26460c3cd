"""What a request's owner is told about it."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from rssp.algorithms import KEY_ALGORITHMS, sign_algos
from rssp.clients.introspection import VerifiedToken
from rssp.models import CertificateRequest, IdentityProof
from rssp.pki.profiles import SUBSCRIBER_PROFILES
from rssp.pki.subjects import build_subject
from rssp.services.identifying import is_offered
from rssp.services.issuing import describe_request as name_of
from rssp.services.languages import current_language
from rssp.services.registration import subject_of
from rssp.wire import RequestDescription, StandingDescription

State, VERIFIED = CertificateRequest.State, IdentityProof.Outcome.VERIFIED
# How long an ended request is still told of.
TOLD = timedelta(days=30)
_MOST_TOLD = 20


def list_requests(*, token: VerifiedToken) -> list[CertificateRequest]:
    """The caller's requests that have no credential: those that are open, and what ended lately; newest first."""
    rows = CertificateRequest.objects.filter(issuer=token.issuer, subject=token.subject, made=None, renews=None)
    open_ = rows.filter(state__in=[State.WAITING, State.APPROVED])
    ended = rows.filter(state__in=[State.REFUSED, State.EXPIRED, State.ENDED], closed__gt=timezone.now() - TOLD)
    return list((open_ | ended).select_related("key").order_by("-created", "-pk")[:_MOST_TOLD])


def find_request(*, token: VerifiedToken, credential_id: str) -> CertificateRequest | None:
    """The caller's own request under a credential's identifier, as long as there is no credential. A token of one
    credential is for another one."""
    if "service" not in token.scopes:
        return None
    rows = CertificateRequest.objects.filter(
        credential_id=credential_id, issuer=token.issuer, subject=token.subject, made=None, renews=None
    ).exclude(state=State.STANDING)
    return rows.select_related("key").first()


def describe_request(*, request: CertificateRequest) -> RequestDescription:
    key = KEY_ALGORITHMS[request.kind_of_key]
    is_late = request.state in {State.WAITING, State.APPROVED} and request.expires <= timezone.now()
    return RequestDescription(
        credential_id=request.credential_id,
        description=name_of(request=request),
        certificate_policy=request.certificate_policy,
        sign_algos=sign_algos(key.name),
        bits=key.bits,
        curve_oid=key.curve_oid,
        state=str(State.EXPIRED if is_late else State(request.state)),
        reason=request.reason,
        requested=request.created,
        expires=request.expires,
        identity_provider=settings.IDENTITY_ISSUER if is_offered(request=request) else "",
        identified_by=next((proof.provider for proof in request.identities.filter(outcome=VERIFIED)), ""),
    )


def describe_standing(*, request: CertificateRequest) -> StandingDescription:
    key = KEY_ALGORITHMS[request.kind_of_key]
    policy = request.certificate_policy
    return StandingDescription(
        credential_id=request.credential_id,
        description=name_of(request=request),
        certificate_policy=policy,
        signature_qualifier=settings.SIGNATURE_QUALIFIERS.get(policy, ""),
        sign_algos=sign_algos(key.name),
        bits=key.bits,
        curve_oid=key.curve_oid,
        subject=build_subject(
            subject_of(certificate_policy=policy, attributes=request.attributes.all())
        ).rfc4514_string(),
        validity=SUBSCRIBER_PROFILES[policy].validity,
        since=request.created,
        expires=request.expires,
        language=current_language(),
    )
