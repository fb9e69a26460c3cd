"""Who asks for a certificate, by another OpenID provider: passed on to the signing service, and nothing kept here."""

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from gateway.clients import rssp
from gateway.services.callers import VerifiedCaller
from gateway.views.endpoint import endpoint, read_json
from gateway.wire import certificate_request_to_json, parse_state, parse_text


@endpoint("POST", of_people=True)
def begin(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    body = read_json(request)
    address = rssp.begin_identification(
        token=caller.token, credential_id=parse_text(body, "credential_id", limit=255), state=parse_state(body)
    )
    return JsonResponse({"authorization_url": address}, status=201)


@endpoint("POST", of_people=True)
def complete(request: HttpRequest, caller: VerifiedCaller) -> HttpResponseBase:
    body = read_json(request)
    stands = rssp.complete_identification(
        token=caller.token,
        credential_id=parse_text(body, "credential_id", limit=255),
        state=parse_state(body),
        code=parse_text(body, "code", limit=2048),
        iss=parse_text(body, "iss", limit=2048, required=False),
    )
    return JsonResponse(certificate_request_to_json(stands))
