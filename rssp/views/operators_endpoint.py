"""What every call of the operators' API has in common: its method, the caller, the JSON object, one answer for a key,
and an entry in the audit for what was refused."""

import json
import logging
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from rssp.error_responses import OPERATORS, SERVER_ERROR, respond, write_error
from rssp.errors import (
    CallUnderWayError,
    DatabaseUnavailableError,
    InvalidRequestError,
    KeyReusedError,
    MalformedAuthorizationError,
    RsspError,
    TokenError,
    UnknownCredentialError,
)
from rssp.models import AuditEvent
from rssp.services.auditing import record_refusal
from rssp.services.idempotency import Answer, answer_once
from rssp.services.limiting import count_address, count_client
from rssp.services.operator_callers import OperatorCaller, verify_operator
from rssp.views.addresses import client_address, read_call
from rssp.views.endpoint import origin_of, read_object
from rssp.wire.operators import LONGEST_BODY, parse_key

log = logging.getLogger(__name__)

_NOT_AUDITED = (InvalidRequestError, UnknownCredentialError, KeyReusedError, CallUnderWayError)

View = Callable[..., HttpResponseBase]
Act = Callable[..., Answer]


def by_method(**views: View) -> View:
    """One address, a view a method, each of which gets (request, caller, …)."""

    @csrf_exempt
    def answer(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
        response: HttpResponseBase
        view = views.get(request.method or "")
        if view is None:
            response = write_error(request, 405, "invalid_request", "This address takes other methods.")
            response["Allow"] = ", ".join(views)
            return response
        try:
            response = view(request, _identify(request), **parameters)
        except RsspError as error:
            response = respond(request, error, 2, first=OPERATORS)
        except (OperationalError, InterfaceError) as error:
            response = respond(request, DatabaseUnavailableError(type(error.__cause__ or error).__name__), 2)
        except Exception:
            log.exception("a request ended in an error that has no name")
            response = write_error(request, 500, "server_error", SERVER_ERROR)
        response["Cache-Control"] = "no-store"
        return response

    answer.needs_no_browser = True  # type: ignore[attr-defined]  # no session, language or form (config.middleware)
    return answer


def acting(act: Act) -> View:
    """A view of what changes something: ``act`` gets (caller, body, …) and answers with status and JSON."""

    def view(request: HttpRequest, caller: OperatorCaller, **parameters: str) -> HttpResponseBase:
        key, body = parse_key(request.headers.get("Idempotency-Key")), read_object(request, longest=LONGEST_BODY)
        told = (request.path, json.dumps(body, sort_keys=True).encode())
        try:
            status, answer = answer_once(
                token=caller.token, key=key, request=told, make=lambda: act(caller, body, **parameters)
            )
        except _NOT_AUDITED:
            raise
        except RsspError as error:
            record_refusal(
                action=AuditEvent.Action.ADMINISTER,
                error=error,
                token=caller.token,
                credential_id=parameters.get("credential_id", ""),
                origin=caller.origin,
            )
            raise
        return JsonResponse(answer, status=status)

    return view


def _identify(request: HttpRequest) -> OperatorCaller:
    """Counted as callers of the CSC API are, and among them."""
    try:
        caller = verify_operator(call=read_call(request), origin=origin_of(request))
    except (MalformedAuthorizationError, TokenError):
        count_address(address=client_address(request))
        raise
    count_client(client_id=caller.token.client_id)
    return caller
