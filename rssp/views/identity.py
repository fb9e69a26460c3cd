"""Who asks for a certificate, by another OpenID provider: our own methods (docs/protocols.md, section 7)."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from rssp.clients.introspection import VerifiedToken
from rssp.services.identifying import begin_identification, complete_identification
from rssp.services.request_status import describe_request
from rssp.views.endpoint import SERVICE, endpoint, origin_of
from rssp.wire import Version, write_request
from rssp.wire.identity import parse_identified_request, parse_identify_request


@endpoint({2: SERVICE})
def credentials_identify(
    request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_identify_request(body)
    address = begin_identification(
        token=token, credential_id=wanted.credential_id, state=wanted.state, origin=origin_of(request)
    )
    return JsonResponse({"authorizationURL": address}, status=201)


@endpoint({2: SERVICE})
def credentials_identified(
    request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    given = parse_identified_request(body)
    held = complete_identification(
        token=token,
        credential_id=given.credential_id,
        code=given.code,
        state=given.state,
        iss=given.iss,
        origin=origin_of(request),
    )
    return JsonResponse({"credentialID": held.credential_id} | write_request(describe_request(request=held), version))
