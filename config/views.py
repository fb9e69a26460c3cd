"""Answers that belong to no role: health, and what is said when no view answered."""

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

_API_PREFIXES = (
    "/csc/",
    "/gateway/",
    "/rssp/operators/v1/",
    "/authz/oauth2/token",
    "/authz/oauth2/bc-authorize",
    "/authz/oauth2/introspect",
    "/authz/oauth2/pushed_authorize",
    "/authz/oauth2/revoke",
    "/authz/oauth2/userinfo",
)
_RETRY_AFTER_SECONDS = "5"


def health(_request: HttpRequest) -> JsonResponse:
    """Alive: this process answers. Each role's readiness stands at the role's own address."""
    return JsonResponse({"status": "alive"})


@csrf_exempt  # whoever forges it changes a language
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """``language`` of the form in a cookie, and back to the page of ours that the browser came from, or to ``next``."""
    response: HttpResponse = set_language(request)
    return response


def _answer(request: HttpRequest, status: int, error: str, title: str, sentence: str) -> HttpResponse:
    reference = getattr(request, "request_id", "-")
    if request.path.startswith(_API_PREFIXES):
        body = {"error": error, "error_description": sentence, "request_id": reference}
        return JsonResponse(body, status=status)
    context = {"title": title, "sentence": sentence, "reference": reference}
    return render(request, "problem.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "invalid_request", "That did not arrive whole", "The request could not be understood.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "access_denied", "Not for this account", "This account may not do that.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request, 404, "not_found", "There is no page here", "The address may be mistyped, or what was here is gone."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Of the exception that is being handled: a database that is down, full, slow or in a deadlock is worth another
    try, and everything else is not."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        response = _answer(
            request,
            503,
            "temporarily_unavailable",
            "Not just now",
            "The service cannot reach what it keeps, or not fast enough. Try again in a moment.",
        )
        response["Retry-After"] = _RETRY_AFTER_SECONDS
        return response
    return _answer(
        request,
        500,
        "server_error",
        "Something went wrong on our side",
        "Nothing was signed by this step. Try again; if it happens again, tell the operator the reference below.",
    )


def clock_set_back(request: HttpRequest) -> HttpResponse:
    return _answer(
        request,
        503,
        "temporarily_unavailable",
        "The time is not known just now",
        "The clock of this service was set back. Nothing was done; try again later.",
    )


def csrf_failure(request: HttpRequest, reason: str = "", **_kwargs: Any) -> HttpResponse:
    return _answer(
        request,
        403,
        "access_denied",
        "This page was open too long",
        "Go back, reload the page and try again. Nothing was changed.",
    )
