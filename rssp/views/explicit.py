"""The methods of explicit mode: a client collects factors and gets a SAD of this service's own."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import translation

from rssp.services.approving import check_authorization
from rssp.services.challenges import get_challenge, send_one_time_password
from rssp.services.opening import Pending, authorize_credential
from rssp.views.endpoint import SERVICE, VerifiedToken, endpoint, origin_of
from rssp.wire import Version, write_sad
from rssp.wire.explicit import (
    parse_authorize_request,
    parse_challenge_request,
    parse_handle,
    parse_send_otp_request,
    write_handle,
)


@endpoint({1: SERVICE, 2: SERVICE})
def credentials_authorize(
    request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_authorize_request(body, version)
    answer = authorize_credential(token=token, request=wanted, version=version, origin=origin_of(request))
    if isinstance(answer, Pending):
        return JsonResponse(write_handle(answer.handle), status=202)
    return JsonResponse(write_sad(answer.value, answer.expires_in))


@endpoint({2: SERVICE})
def credentials_authorize_check(
    request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    handle = parse_handle(body)
    sad = check_authorization(token=token, handle=handle, origin=origin_of(request))
    if sad is None:
        return JsonResponse(write_handle(handle), status=202)
    return JsonResponse(write_sad(sad.value, sad.expires_in))


@endpoint({2: SERVICE})
def credentials_get_challenge(
    request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_challenge_request(body)
    with _reader_language(request, body):
        challenge = get_challenge(token=token, credential_id=wanted.credential_id, identifier=wanted.identifier)
    return HttpResponse(status=204) if challenge is None else JsonResponse({"challenge": challenge})


@endpoint({1: SERVICE, 2: SERVICE})
def credentials_send_otp(
    request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    credential_id = parse_send_otp_request(body)
    with _reader_language(request, body):
        send_one_time_password(token=token, credential_id=credential_id)
    return HttpResponse(status=204)


def _reader_language(request: HttpRequest, body: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Of a mail. The specification gives these methods no ``lang``: a client that sends none can pass the header of its
    user's browser on."""
    return nullcontext() if "lang" in body else translation.override(translation.get_language_from_request(request))
