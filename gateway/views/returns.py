"""The page that a signer's browser comes back to, where the program that asked has none of its own."""

import logging

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control

from gateway.error_responses import status_of
from gateway.errors import ApprovalDeniedError, GatewayError, JobNotFoundError, WrongStateError
from gateway.services.returning import take_return
from gateway.views.endpoint import only
from gateway.wire import PROOF_ALGORITHMS

log = logging.getLogger(__name__)

_LONGEST = 2048
_HOUR = 3600


@only("GET")
@cache_control(no_store=True)
def callback(request: HttpRequest) -> HttpResponseBase:
    """``state``, and ``code`` with ``iss`` (RFC 9207) or ``error``."""
    given = {name: request.GET.get(name, "") for name in ("state", "code", "iss", "error")}
    try:
        if any(len(value) > _LONGEST for value in given.values()) or len(request.GET) > len(given) + 4:
            raise JobNotFoundError
        take_return(**given)
    except GatewayError as error:
        log.info("an approval came back: %s", error.code)
        title, text = _say(error)
        # Who declines did nothing wrong.
        status = (
            200 if given["error"] == "access_denied" and isinstance(error, ApprovalDeniedError) else status_of(error)
        )
        return render(request, "gateway/returned.html", {"title": title, "text": text}, status=status)
    context = {
        "title": _("Approved"),
        "text": _("The document is being signed. You can close this window and go back to the program that asked."),
        "is_good": True,
    }
    return render(request, "gateway/returned.html", context)


def _say(error: GatewayError) -> tuple[str, str]:
    if isinstance(error, ApprovalDeniedError):
        return _("You declined"), _("Nothing was signed. The program that asked was told.")
    if isinstance(error, JobNotFoundError | WrongStateError):
        return _("This approval is not waited for"), _("It is too old, or another one was asked for since.")
    return _("That did not work"), str(error)


@only("GET", "HEAD")
@cache_control(public=True, max_age=_HOUR)
def resource_metadata(_request: HttpRequest) -> HttpResponseBase:
    """Where tokens for this API come from (RFC 9728)."""
    response = JsonResponse(
        {
            "resource": settings.GATEWAY_RESOURCE,
            "authorization_servers": [settings.ISSUER],
            "scopes_supported": ["service"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
            "resource_documentation": settings.GATEWAY_API_URL,
        }
    )
    response["Access-Control-Allow-Origin"] = "*"
    return response
