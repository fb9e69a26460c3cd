"""What every request passes before it meets a role."""

import secrets
from collections.abc import Callable
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from config import logs


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
