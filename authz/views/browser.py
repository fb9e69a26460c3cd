"""What this role keeps in a browser's session, and where a browser may be sent."""

import base64
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language

from authz.errors import StaleApprovalError
from authz.models import User
from authz.services import devices, ended_logins, languages, logins, passkeys
from authz.services.accounts import VerifiedLogin
from authz.services.consents import create_browser_binding
from authz.services.ended_logins import Frame
from authz.services.events import Visitor
from authz.services.logins import Login, name_browser

_BINDING = "browser"
_CEREMONY = "ceremony"
CEREMONY_SECONDS = 600
RECENT_SECONDS = 15 * 60
DEVICE_SECONDS = 180 * 24 * 3600
DEVICE_LENGTH = 43  # of a secret in base64url


def read_login(request: HttpRequest) -> Login | None:
    """The login, only if two factors were verified in this session."""
    return logins.read_login(session=request.session, user=request.user)


def keep_login(request: HttpRequest, verified: VerifiedLogin) -> None:
    """Logs the browser in under a new session key; what an earlier user kept here is gone, but for the value that the
    request which led here is bound to: somebody else may take over a browser to answer it."""
    binding = known_binding(request)
    known = request.user
    if isinstance(known, User) and known.pk != verified.user.pk:
        end_login(request)
    login(request, verified.user)
    if binding is not None:
        request.session[_BINDING] = binding
    logins.record_login(
        session=request.session,
        verified=verified,
        user_agent=request.headers.get("User-Agent", ""),
        address=client_address(request),
    )


def end_login(request: HttpRequest) -> list[Frame]:
    """Logs the browser out, and with it the clients that it logged in at; where it has to go to tell some of them."""
    known = request.user.is_authenticated
    frames = ended_logins.end_login(sid=logins.read_sid(session=request.session)) if known else []
    logout(request)
    return frames


def log_in(request: HttpRequest, verified: VerifiedLogin, to: str) -> HttpResponseRedirect:
    """`keep_login`, and the browser is known to the account from now on; sends it to ``to``, a path of ours."""
    device = devices.remember_device(user=verified.user, visitor=visitor(request))
    languages.remember_language(user=verified.user, language=get_language())
    keep_login(request, verified)
    response = HttpResponseRedirect(to)
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        device,
        max_age=DEVICE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def visitor(request: HttpRequest) -> Visitor:
    """Who asks, for the counters and the account's list of events."""
    device = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
    return Visitor(
        address=client_address(request),
        browser_name=name_browser(request.headers.get("User-Agent", "")),
        device=device if len(device) == DEVICE_LENGTH and device.isascii() else "",
    )


def is_recent(login_: Login) -> bool:
    """Whether the login is fresh enough, and had password and passkey, to change how the account is entered."""
    return "pwd" in login_.amr and (datetime.now(UTC) - login_.auth_time).total_seconds() < RECENT_SECONDS


def browser_binding(request: HttpRequest) -> str:
    """The value that pending consents of this browser are bound to, made at first use."""
    if _BINDING not in request.session:
        request.session[_BINDING] = create_browser_binding()
    value: str = request.session[_BINDING]
    return value


def known_binding(request: HttpRequest) -> str | None:
    """The same, or None for a browser that brought no request yet."""
    value: str | None = request.session.get(_BINDING)
    return value


def keep_ceremony(request: HttpRequest, purpose: str, challenge: bytes, **values: Any) -> None:
    """Begins a passkey ceremony; one at a time in a session."""
    encoded = base64.b64encode(challenge).decode()
    request.session[_CEREMONY] = {"purpose": purpose, "challenge": encoded, "time": time.time(), **values}


def read_ceremony(request: HttpRequest, purpose: str) -> dict[str, Any] | None:
    """What was kept for this purpose, if it is not too old."""
    kept: dict[str, Any] | None = request.session.get(_CEREMONY)
    if kept is None or kept["purpose"] != purpose or kept["time"] < time.time() - CEREMONY_SECONDS:
        return None
    return kept


def take_challenge(request: HttpRequest, purpose: str) -> tuple[bytes, dict[str, Any]]:
    """The ceremony's challenge, used up by this call whatever comes of it; raises `StaleApprovalError`."""
    kept = read_ceremony(request, purpose)
    if kept is None:
        raise StaleApprovalError("The page was open too long.")
    challenge = base64.b64decode(kept["challenge"])
    passkeys.take_challenge(challenge=challenge)
    return challenge, kept


def end_ceremony(request: HttpRequest) -> None:
    request.session.pop(_CEREMONY, None)


def client_address(request: HttpRequest) -> str:
    """The address that the connection came from; what a header claims counts only from a trusted proxy."""
    peer: str = request.META.get("REMOTE_ADDR") or "0.0.0.0"  # noqa: S104  (no address is bound)
    if peer in settings.TRUSTED_PROXIES:
        return request.headers.get("X-Forwarded-For", peer).rpartition(",")[2].strip() or peer
    return peer


def safe_next(request: HttpRequest, wanted: str | None) -> str:
    """``wanted`` if it is a path of this origin, else the account page."""
    if wanted and wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return reverse("authz:passkeys")


def login_url(next_path: str, *, confirm: bool = False) -> str:
    """The login page, coming back to ``next_path``. ``confirm``: with password and passkey, nothing less."""
    query = {"next": next_path} | ({"confirm": "1"} if confirm else {})
    return f"{reverse('authz:login')}?{urlencode(query)}"


def origin_of(address: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
