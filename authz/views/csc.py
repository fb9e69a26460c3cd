"""The two methods of the CSC API that are the authorization server's: ``auth/login`` and ``auth/revoke``."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse

from authz.decorators import client_endpoint
from authz.error_responses import json_error
from authz.errors import AuthzError, InvalidRequestError, InvalidTokenError, TooLargeError
from authz.services import csc_logins
from authz.views.browser import client_address
from authz.wire import (
    MALFORMED,
    parse_basic,
    parse_bearer,
    parse_csc_object,
    parse_login_request,
    parse_revoke_request,
)

LONGEST_BODY = 64 * 1024
MALFORMED_HEADER = {
    1: MALFORMED.replace("a required", "a REQUIRED"),
    2: "Malformed authorization header.",
}
INVALID_TOKEN = "The token provided is not a valid OAuth access or refresh token."
View = Callable[[HttpRequest, int], HttpResponse]


def csc_method(view: View) -> View:
    """POST alone, errors as the API has them, nothing cached."""

    @client_endpoint
    @wraps(view)
    def answer(request: HttpRequest, version: int) -> HttpResponse:
        if request.method != "POST":
            response = _refuse(request, HTTPStatus.METHOD_NOT_ALLOWED, "invalid_request", "Every method is a POST.")
            response["Allow"] = "POST"
            return response
        try:
            return view(request, version)
        except RequestDataTooBig:
            return json_error(request, TooLargeError("The body is too long."))
        except AuthzError as error:
            return json_error(request, error)

    return answer


def _refuse(request: HttpRequest, status: HTTPStatus, error: str, sentence: str) -> HttpResponse:
    body = {"error": error, "error_description": sentence, "request_id": getattr(request, "request_id", "-")}
    return JsonResponse(body, status=status)


def _read_object(request: HttpRequest) -> dict[str, Any]:
    charset = (request.content_params or {}).get("charset", "utf-8")
    if request.content_type != "application/json" or charset.lower() not in {"utf-8", "utf8"}:
        raise InvalidRequestError(MALFORMED)
    announced = request.headers.get("Content-Length") or "0"
    if not (announced.isascii() and announced.isdigit()):
        raise InvalidRequestError(MALFORMED)
    raw = b"" if int(announced[:12]) > LONGEST_BODY else request.read(LONGEST_BODY + 1)
    if int(announced[:12]) > LONGEST_BODY or len(raw) > LONGEST_BODY:
        raise TooLargeError(f"A body has at most {LONGEST_BODY} bytes.")
    return parse_csc_object(raw)


@csc_method
def login(request: HttpRequest, version: int) -> HttpResponse:
    """Basic with the account's address and password, or a refresh token of an earlier login. Digest is not offered: it
    would need passwords that are not hashed."""
    if not settings.CSC_LOGIN:
        sentence = "This service does not implement this method."
        return _refuse(request, HTTPStatus.NOT_IMPLEMENTED, "not_implemented", sentence)
    wanted = parse_login_request(_read_object(request))
    header = request.headers.get("Authorization")
    if wanted.refresh_token is not None:
        if header is not None:
            raise InvalidRequestError(MALFORMED)
        return JsonResponse(csc_logins.refresh(refresh_token=wanted.refresh_token))
    email, password = parse_basic(header)
    answer = csc_logins.log_in(
        email=email, password=password, address=client_address(request), is_remembered=wanted.is_remembered
    )
    return JsonResponse(answer)


@csc_method
def revoke(request: HttpRequest, version: int) -> HttpResponse:
    """204, and introspection says inactive from then on."""
    access_token = parse_bearer(request.headers.get("Authorization"))
    if access_token is None:
        raise InvalidRequestError(MALFORMED_HEADER[version])
    try:
        bearer = csc_logins.read_bearer(access_token=access_token)
    except InvalidTokenError:
        raise InvalidTokenError(INVALID_TOKEN) from None
    csc_logins.revoke(bearer=bearer, token=parse_revoke_request(_read_object(request)))
    return HttpResponse(status=HTTPStatus.NO_CONTENT)
