"""Logins that end: what clients got of them ends too, and the clients are told (OpenID Connect Back-Channel Logout 1.0;
those that want it in the browser, Front-Channel Logout 1.0).

A login is known by ``sid``, a value that the browser's session and each ID token of it share.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from authz.clients import outbound
from authz.errors import OutboundError
from authz.models import Application, Grant, LogoutNotice, User
from authz.services.grants import append_query, revoke_grant
from authz.services.secrets import create_secret
from authz.services.signing_keys import sign

logger = logging.getLogger(__name__)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_LIFETIME = timedelta(minutes=2)
MOST_ATTEMPTS = 6
_FIRST_PAUSE = timedelta(seconds=10)
_BATCH = 100


@dataclass(frozen=True)
class Frame:
    """Where a browser tells a client of its logout; ``origin`` is what the page's policy has to allow."""

    url: str
    origin: str


def end_login(*, sid: str) -> list[Frame]:
    """Ends the login that these ID tokens speak of, in the caller's transaction if there is one; where the browser that
    logs out has to go itself."""
    return _end(Grant.objects.filter(sid=sid)) if sid else []


def end_logins(*, user: User) -> list[Frame]:
    """Every login of this person."""
    return _end(Grant.objects.filter(user=user))


def _end(logins: "QuerySet[Grant]") -> list[Frame]:
    with transaction.atomic():
        grants = list(logins.exclude(sid="").select_for_update(of=("self",)).select_related("application", "user"))
        # A code that nobody redeemed yet must not become a login afterwards.
        told = {(grant.application_id, grant.sid): grant for grant in grants if grant.used is not None}
        Grant.objects.filter(pk__in=[grant.pk for grant in grants], used=None).update(used=timezone.now())
        Grant.objects.filter(pk__in=[grant.pk for grant in grants]).update(sid="")
        for grant in grants:
            revoke_grant(grant=grant)
        LogoutNotice.objects.bulk_create(
            [
                LogoutNotice(application=grant.application, sub=str(grant.user.sub), sid=grant.sid)
                for grant in told.values()
                if grant.application.backchannel_logout_uri
            ],
            ignore_conflicts=True,
        )
        transaction.on_commit(_ring)
    return [_frame(grant) for grant in told.values() if grant.application.frontchannel_logout_uri]


def _frame(grant: Grant) -> Frame:
    """Front-Channel Logout 1.0, section 2: ``iss`` and ``sid`` together or neither."""
    application: Application = grant.application
    url = application.frontchannel_logout_uri
    if application.frontchannel_logout_session_required:
        url = append_query(url, {"iss": settings.ISSUER, "sid": grant.sid})
    parts = urlsplit(url)
    return Frame(url, f"{parts.scheme}://{parts.netloc}")


def _ring() -> None:
    """Asks a worker to tell; never fails. The rows are the truth, and a sweep finds them."""
    try:
        current_app.send_task("authz.tell_of_logouts", retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, the sweep rings again)
        logger.warning("ended logins could not be announced: %s", type(error).__name__)


def tell_of_logouts() -> int:
    """Tells the clients that are to be told by now; returns how many took it. Calls others: never in a transaction."""
    due = LogoutNotice.objects.filter(next_attempt__lte=timezone.now()).select_related("application")
    return sum(_tell(notice) for notice in due.order_by("next_attempt")[:_BATCH])


def _tell(notice: LogoutNotice) -> bool:
    # Leased before it is sent: of two workers one tells, and one that dies has it told again after the pause.
    mine = LogoutNotice.objects.filter(pk=notice.pk, attempts=notice.attempts)
    pause = _FIRST_PAUSE * 4**notice.attempts
    if not mine.update(attempts=F("attempts") + 1, next_attempt=timezone.now() + pause):
        return False
    application: Application = notice.application
    try:
        outbound.post_form(
            application.backchannel_logout_uri,
            {"logout_token": write_logout_token(notice=notice)},
            # signapp is where the settings say, however private that is.
            hosts=(str(urlsplit(settings.SIGNAPP_URL).hostname),) if application.is_own else (),
        )
    except OutboundError as error:
        is_over = notice.attempts + 1 >= MOST_ATTEMPTS or not application.backchannel_logout_uri
        logger.warning(
            "%s was not told that a login ended%s. %s", application.client_id, ", for good" if is_over else "", error
        )
        if is_over:
            LogoutNotice.objects.filter(pk=notice.pk).delete()
        return False
    LogoutNotice.objects.filter(pk=notice.pk).delete()
    return True


def write_logout_token(*, notice: LogoutNotice) -> str:
    """Back-Channel Logout 1.0, section 2.4: each sending has its own ``jti``, and no ``nonce``, so that none can be
    taken for an ID token."""
    now = int(time.time())
    claims = {
        "iss": settings.ISSUER,
        "aud": notice.application.client_id,
        "iat": now,
        "exp": now + int(TOKEN_LIFETIME.total_seconds()),
        "jti": create_secret(),
        "events": {EVENT: {}},
        "sub": notice.sub,
        "sid": notice.sid,
    }
    return sign(application=notice.application, kind="logout+jwt", claims=claims)
