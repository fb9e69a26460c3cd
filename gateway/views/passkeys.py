"""Which passkeys sign with a credential."""

import uuid
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from gateway.errors import InvalidRequestError
from gateway.services import passkeys
from gateway.services.callers import VerifiedCaller
from gateway.views.endpoint import canonical, created_once, endpoint, read_json
from gateway.wire import PASSKEY_ACTIONS, parse_state, parse_text


@endpoint("POST", of_people=True)
def request_change(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    body = read_json(request)
    action = parse_text(body, "action", limit=16)
    if action not in PASSKEY_ACTIONS:
        raise InvalidRequestError(f"The member action must be one of {', '.join(PASSKEY_ACTIONS)}.")
    credential_id, state = parse_text(body, "credential_id", limit=255), parse_state(body)

    def make() -> dict[str, Any]:
        change, pushed = passkeys.request_change(caller=caller, credential_id=credential_id, action=action, state=state)
        return {"request_id": str(change.pk), **asdict(pushed)}

    return created_once(request, caller, canonical(body), make)


@endpoint("POST", of_people=True)
def complete(request: HttpRequest, caller: VerifiedCaller, request_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request)
    done = passkeys.complete_change(
        caller=caller,
        change_id=request_id,
        code=parse_text(body, "code", limit=2048),
        iss=parse_text(body, "iss", limit=2048),
    )
    return JsonResponse(done)
