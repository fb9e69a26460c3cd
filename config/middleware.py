"""What every request passes before it meets a role."""

import math
import secrets
from collections.abc import Callable
from functools import partial
from importlib import import_module

from csp.utils import build_policy
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.urls import Resolver404, resolve
from django.utils import translation
from django.utils.cache import patch_vary_headers

from config import clock, logs
from config.views import clock_set_back


def request_id(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Gives every request a fresh id, ``request.request_id``, in log lines, error answers and ``X-Request-Id``."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.request_id = secrets.token_hex(8)  # type: ignore[attr-defined]
        token = logs.request_id.set(request.request_id)  # type: ignore[attr-defined]
        try:
            response = get_response(request)
        finally:
            logs.request_id.reset(token)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response

    return middleware


def refuse_without_time(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """503 for everything but static files while the clock says less than it said before (`config.clock`)."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        missing = clock.WATCH.read_missing()
        if not missing or request.path_info.startswith(settings.STATIC_URL):
            return get_response(request)
        translation.activate(settings.LANGUAGE_CODE)
        response = clock_set_back(request)
        response["Retry-After"] = str(math.ceil(missing))
        return response

    return middleware


def straight_to_apis(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Calls a view that says ``needs_no_browser`` at once: sessions, languages, messages and forms are for people, and
    cost such a request more than its view's own answer. What protects a browser that is led there all the same, stays:
    the host is verified, and the answer says as every other that it is no page."""
    policy = build_policy()

    def middleware(request: HttpRequest) -> HttpResponseBase:
        view = _find_api(request)
        if view is None:
            return get_response(request)
        translation.activate(settings.LANGUAGE_CODE)  # the thread's last page may have been in another one
        response = view()
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))  # type: ignore[attr-defined]  # not streamed
        return response

    return middleware


def _find_api(request: HttpRequest) -> Callable[[], HttpResponseBase] | None:
    """Whatever is wrong with the host or the path is answered as for any other address."""
    if not request.path_info.startswith(settings.API_PREFIXES):
        return None
    try:
        request.get_host()
        match = resolve(request.path_info)
    except (DisallowedHost, Resolver404):
        return None
    if not getattr(match.func, "needs_no_browser", False):
        return None
    request.resolver_match = match
    return partial(match.func, request, *match.args, **match.kwargs)


class PageLanguageMiddleware(LocaleMiddleware):
    """Pages for people in their language: the one that they chose, on the authorization server's pages the one that
    the application asked for, or their browser's; the rest in one alone."""

    def process_request(self, request: HttpRequest) -> None:
        path = request.path_info
        if path.startswith(settings.ONE_LANGUAGE) and path not in settings.EVERY_LANGUAGE:
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
            return
        asked = request.COOKIES.get(settings.ASKED_LANGUAGE_COOKIE_NAME)
        if asked and request.path_info.startswith("/authz/"):
            request.META["HTTP_ACCEPT_LANGUAGE"] = f"{asked},{request.META.get('HTTP_ACCEPT_LANGUAGE', '')}"
        super().process_request(request)


class NoSession(SessionBase):
    """Stands where a path has no session: empty, and refuses to be kept."""

    def exists(self, session_key: str) -> bool:
        return False

    def create(self) -> None:
        raise UpdateError("this address has no session")

    def save(self, must_create: bool = False) -> None:
        raise UpdateError("this address has no session")

    def delete(self, session_key: str | None = None) -> None:
        return None

    def load(self) -> dict[str, object]:
        return {}


class RoleSessionMiddleware:
    """A session cookie and store for each realm of `settings.SESSION_REALMS`; the first path prefix that fits decides.

    Two realms on one host must not share a session: whoever takes over a page of signapp must not
    find the authorization server's login beside it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        cookie, engine = next(
            (cookie, engine) for prefix, cookie, engine in settings.SESSION_REALMS if request.path.startswith(prefix)
        )
        if engine is None or cookie is None:
            request.session = NoSession()
            return self.get_response(request)
        store: type[SessionBase] = import_module(engine).SessionStore
        request.session = store(request.COOKIES.get(cookie))
        response = self.get_response(request)
        self._keep(request, response, cookie)
        return response

    def _keep(self, request: HttpRequest, response: HttpResponseBase, cookie: str) -> None:
        session = request.session
        if session.accessed:
            patch_vary_headers(response, ("Cookie",))
        if session.is_empty():
            if cookie in request.COOKIES:
                response.delete_cookie(cookie, path="/", samesite="Lax")
            return
        if not session.modified or response.status_code >= 500:
            return
        try:
            session.save()
        except UpdateError:
            # The session was ended (logged out elsewhere) while this request ran.
            raise SessionInterrupted("The session ended while the request was running.") from None
        response.set_cookie(
            cookie,
            session.session_key or "",
            max_age=settings.SESSION_COOKIE_AGE,
            path="/",
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
