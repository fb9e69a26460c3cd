"""A user's credentials and requests for new ones."""

import uuid
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from gateway.errors import InvalidRequestError
from gateway.services import credentials
from gateway.services.callers import VerifiedCaller
from gateway.views.endpoint import canonical, created_once, endpoint, read_json
from gateway.wire import KEY_ALGORITHMS, certificate_request_to_json, credential_to_json, parse_state, parse_text


@endpoint("GET")
def list_credentials(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    found = credentials.list_credentials(caller=caller)
    answer = {
        "credentials": [credential_to_json(credential) for credential in found.credentials],
        "requests": [certificate_request_to_json(waiting) for waiting in found.requests],
    }
    return JsonResponse(answer)


@endpoint("POST", of_people=True)
def request_credential(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    body = read_json(request)
    key_algorithm = parse_text(body, "key_algorithm", limit=32)
    if key_algorithm not in KEY_ALGORITHMS:
        raise InvalidRequestError(f"The member key_algorithm must be one of {', '.join(KEY_ALGORITHMS)}.")
    policy, state = parse_text(body, "certificate_policy", limit=64), parse_state(body)

    def make() -> dict[str, Any]:
        made, pushed = credentials.request_credential(
            caller=caller, certificate_policy=policy, key_algorithm=key_algorithm, state=state
        )
        return {"request_id": str(made.pk), **asdict(pushed)}

    return created_once(request, caller, canonical(body), make)


@endpoint("POST", of_people=True)
def complete(request: HttpRequest, caller: VerifiedCaller, request_id: uuid.UUID) -> HttpResponseBase:
    body = read_json(request)
    credential = credentials.complete_credential_request(
        caller=caller,
        request_id=request_id,
        code=parse_text(body, "code", limit=2048),
        iss=parse_text(body, "iss", limit=2048),
    )
    return JsonResponse(credential, status=202 if "state" in credential else 201)
