"""Approvals that the signing service asks for out of band: OpenID CIBA, poll mode, scope ``credential`` alone.

What waits is an ordinary `Consent` of a known user, answered on the same page with both factors. Nothing is approved
from the message that tells of it.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from authz.authorization_details import (
    CredentialAuthorization,
    parse_authorization_details,
    read_authorization_details,
    write_authorization_details,
)
from authz.errors import (
    ApprovalDeclinedError,
    ApprovalExpiredError,
    ApprovalPendingError,
    InvalidAuthorizationDetailsError,
    InvalidBindingMessageError,
    InvalidGrantError,
    InvalidScopeError,
    RequestGoneError,
    SlowDownError,
    ThrottledError,
    UnauthorizedClientError,
    UnknownUserError,
)
from authz.models import Application, BackchannelRequest, Consent, User
from authz.services import throttling
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

LIFETIME = timedelta(minutes=10)
INTERVAL_SECONDS = 5
MOST_WAITING = 5
MAX_BINDING_MESSAGE = 200


@dataclass(frozen=True)
class OpenedRequest:
    """What the client is told, and the consent that waits now. ``expires_in`` and ``interval`` are seconds."""

    auth_req_id: str
    consent: Consent
    expires_in: int
    interval: int


def _checksum(auth_req_id: str) -> str:
    return checksum(f"auth_req_id {auth_req_id}")


def open_request(
    *, application: Application, scope: str, login_hint: str, authorization_details: str, binding_message: str
) -> OpenedRequest:
    """CIBA Core, 7.1. ``application`` is authenticated.

    Raises `UnauthorizedClientError`, `InvalidScopeError`, `InvalidAuthorizationDetailsError`,
    `InvalidBindingMessageError`, `UnknownUserError`, or `ThrottledError`, so that nobody is flooded with requests.
    """
    if not application.may_ask_out_of_band:
        raise UnauthorizedClientError("This client may not ask users out of band.")
    if scope != "credential":
        raise InvalidScopeError("Only scope credential can be asked for out of band.")
    details = parse_authorization_details(authorization_details, is_out_of_band=True)
    assert isinstance(details, CredentialAuthorization)  # noqa: S101  (the parser refuses all else)
    on_behalf_of: Application | None = Application.objects.filter(client_id=details.on_behalf_of).first()
    if on_behalf_of is None:
        raise InvalidAuthorizationDetailsError("onBehalfOf names no client of this server.")
    if len(binding_message) > MAX_BINDING_MESSAGE or not binding_message.isprintable():
        raise InvalidBindingMessageError(f"binding_message must be text of at most {MAX_BINDING_MESSAGE} characters.")
    user = _read_user(login_hint)
    throttling.count_approval_request(account=str(user.sub), client_id=on_behalf_of.client_id)
    return _open(application, on_behalf_of, user, details, binding_message)


def _read_user(login_hint: str) -> User:
    try:
        sub = UUID(login_hint)
    except ValueError:
        raise UnknownUserError("login_hint names no user.") from None
    user = User.objects.filter(sub=sub, is_active=True).first() if str(sub) == login_hint else None
    if user is None or not user.passkeys.exists():
        raise UnknownUserError("login_hint names no user.")
    return user


def _open(
    application: Application,
    on_behalf_of: Application,
    user: User,
    details: CredentialAuthorization,
    binding_message: str,
) -> OpenedRequest:
    secret, now = create_secret(), timezone.now()
    with transaction.atomic():
        # Parallel requests wait here for one another, so that the count below is the count.
        User.objects.select_for_update().get(pk=user.pk)
        waiting = list_waiting(user=user)
        if waiting.count() >= MOST_WAITING:
            oldest = min(request.consent.expires for request in waiting)
            raise ThrottledError(max(1, int((oldest - now).total_seconds())))
        consent = Consent.objects.create(
            kind=Consent.Kind.CREDENTIAL,
            application=application,
            user=user,
            browser="",
            expires=now + LIFETIME,
            details=write_authorization_details(details),
            request={"scopes": ["credential"], "resources": [settings.RSSP_RESOURCE]},
        )
        BackchannelRequest.objects.create(
            consent=consent,
            checksum=_checksum(secret),
            on_behalf_of=on_behalf_of,
            binding_message=binding_message,
            interval=INTERVAL_SECONDS,
        )
    logger.info("%s asks %s out of band for %s", application.client_id, user.sub, on_behalf_of.client_id)
    return OpenedRequest(secret, consent, int(LIFETIME.total_seconds()), INTERVAL_SECONDS)


def list_waiting(*, user: User) -> QuerySet[BackchannelRequest]:
    """What waits for this user's answer, oldest first."""
    rows = BackchannelRequest.objects.filter(
        consent__user=user, consent__state=Consent.State.PENDING, consent__expires__gt=timezone.now()
    )
    return rows.select_related("consent", "consent__application", "on_behalf_of").order_by("consent__created")


def read_waiting(*, user: User, consent_id: UUID) -> BackchannelRequest:
    """Raises `RequestGoneError` unless it waits for this user; another user's is as good as none."""
    found = list_waiting(user=user).filter(consent=consent_id).first()
    if found is None:
        raise RequestGoneError("This request was answered already, has expired or is not for this account.")
    return found


def count_documents(*, request: BackchannelRequest) -> int:
    """How many digests are asked for."""
    details = read_authorization_details(request.consent.details)
    return details.num_signatures if isinstance(details, CredentialAuthorization) else 0


def read_answer(*, auth_req_id: str, application: Application) -> BackchannelRequest:
    """The approved request, still to be redeemed (CIBA Core, 11).

    Raises `InvalidGrantError` (unknown, used or another client's), `ApprovalPendingError`, `SlowDownError`,
    `ApprovalDeclinedError` or `ApprovalExpiredError`.
    """
    rows = BackchannelRequest.objects.select_related("consent", "consent__user", "consent__passkey")
    found = rows.filter(checksum=_checksum(auth_req_id), consent__application=application).first()
    if found is None or found.redeemed is not None:
        raise InvalidGrantError("The auth_req_id is unknown or was used already.")
    consent, now = found.consent, timezone.now()
    if consent.state == Consent.State.DECLINED:
        raise ApprovalDeclinedError("The user declined.")
    if consent.state == Consent.State.APPROVED:
        if consent.approval_expires is None or consent.approval_expires <= now:
            raise ApprovalExpiredError("The approval was not fetched in time.")
        if consent.user is None or not consent.user.is_active:
            raise InvalidGrantError("The account was closed.")
        return found
    if consent.expires <= now:
        raise ApprovalExpiredError("Nobody answered in time.")
    raise _note_question(found)


def _note_question(request: BackchannelRequest) -> ApprovalPendingError | SlowDownError:
    """Who asks before the interval is over has to wait five seconds more from then on (RFC 8628, section 3.5)."""
    now, rows = timezone.now(), BackchannelRequest.objects.filter(pk=request.pk)
    patient = Q(polled=None) | Q(polled__lte=now - timedelta(seconds=request.interval))
    if rows.filter(patient, interval=request.interval).update(polled=now):
        return ApprovalPendingError("The user has not answered yet.")
    rows.update(polled=now, interval=F("interval") + INTERVAL_SECONDS)
    return SlowDownError("The user has not answered yet. Ask less often.")
