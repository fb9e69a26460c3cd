"""What every method of the API has in common: POST alone, the caller, the JSON object, errors, no caching."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from rssp.error_responses import SERVER_ERROR, respond, write_error
from rssp.errors import (
    BodyTooLongError,
    DatabaseUnavailableError,
    MalformedAuthorizationError,
    MalformedBodyError,
    RsspError,
    TokenError,
)
from rssp.services.auditing import Origin
from rssp.services.callers import VerifiedToken, verify_caller
from rssp.services.languages import speaking
from rssp.services.limiting import count_address, count_client
from rssp.views.addresses import client_address, read_call
from rssp.wire import LONGEST_BODY, Version, parse_object

log = logging.getLogger(__name__)

SERVICE = frozenset({"service"})
SERVICE_OR_CREDENTIAL = frozenset({"service", "credential"})
CREATION = frozenset({"credential-creation"})
DELETION = frozenset({"credential-deletion"})
BINDING = frozenset({"passkey-binding"})

View = Callable[..., HttpResponseBase]


def endpoint(scopes: Mapping[Version, frozenset[str]]) -> Callable[[View], View]:
    """The view gets (request, version, token, body); ``scopes`` says which tokens open it in which version."""

    def decorate(view: View) -> View:
        def call(request: HttpRequest, version: Version) -> HttpResponseBase:
            token = _identify(request, scopes[version])
            body = read_object(request)
            with _language(body):
                return view(request, version, token, body)

        return _answered(wraps(view)(call))

    return decorate


def _identify(request: HttpRequest, scopes: frozenset[str]) -> VerifiedToken:
    """The caller, counted before anything else is done for them. Who has a good token is not counted by address, so
    that no neighbour's bad ones keep them out."""
    try:
        token = verify_caller(call=read_call(request), scopes=scopes)
    except (MalformedAuthorizationError, TokenError):
        count_address(address=client_address(request))
        raise
    count_client(client_id=token.client_id)
    return token


def _language(body: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Where a client wants a language; without, it is the service's own already (`config.middleware`)."""
    return speaking(body["lang"]) if "lang" in body else nullcontext()


def open_endpoint(view: View) -> View:
    """The same for what needs no token: the view gets (request, version, body)."""

    def call(request: HttpRequest, version: Version) -> HttpResponseBase:
        count_address(address=client_address(request))
        body = read_object(request)
        with _language(body):
            return view(request, version, body)

    return _answered(wraps(view)(call))


def _answered(call: View) -> View:
    @csrf_exempt
    @wraps(call)
    def answer(request: HttpRequest, version: Version) -> HttpResponseBase:
        response: HttpResponseBase
        if request.method != "POST":
            response = write_error(request, 405, "invalid_request", "Every method of this API is a POST.")
            response["Allow"] = "POST"
        else:
            try:
                response = call(request, version)
            except RsspError as error:
                response = respond(request, error, version)
            except (OperationalError, InterfaceError) as error:
                # No key was used: from then on it is a `SigningFailedError`.
                response = respond(request, DatabaseUnavailableError(type(error.__cause__ or error).__name__), version)
            except Exception:
                # The composition's own page for this says that nothing was signed, which nobody can know here.
                log.exception("a request ended in an error that has no name")
                response = write_error(request, 500, "server_error", SERVER_ERROR)
        response["Cache-Control"] = "no-store"
        return response

    answer.needs_no_browser = True  # type: ignore[attr-defined]  # no session, language or form (config.middleware)
    return answer


@_answered
def not_implemented(request: HttpRequest, version: Version) -> HttpResponseBase:
    """A method of the specification that is not built here (CSC API, 10.1: 501)."""
    return write_error(request, 501, "not_implemented", "This service does not implement this method.")


def read_object(request: HttpRequest, *, longest: int = LONGEST_BODY) -> dict[str, Any]:
    """The JSON object of a body of at most ``longest`` bytes; raises `MalformedBodyError` or `BodyTooLongError`."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if request.content_type != "application/json" or charset.lower() not in {"utf-8", "utf8"}:
        raise MalformedBodyError("the body is not application/json in UTF-8")
    announced = request.headers.get("Content-Length") or "0"
    if not announced.isascii() or not announced.isdigit():
        raise MalformedBodyError("the body's length is malformed")
    if int(announced[:12]) > longest:
        raise BodyTooLongError("the body is too long")
    raw = request.read(longest + 1)
    if len(raw) > longest:
        raise BodyTooLongError("the body is too long")
    return parse_object(raw)


def origin_of(request: HttpRequest) -> Origin:
    return Origin(request_id=getattr(request, "request_id", ""), address=client_address(request))


__all__ = [
    "BINDING",
    "CREATION",
    "DELETION",
    "SERVICE",
    "SERVICE_OR_CREDENTIAL",
    "VerifiedToken",
    "endpoint",
    "not_implemented",
    "open_endpoint",
    "origin_of",
]
