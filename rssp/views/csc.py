"""The methods of the CSC API that are built, for both versions."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from rssp.models import CertificateRequest, Credential
from rssp.services.asynchronous import accept_call, poll_call
from rssp.services.binding import change_passkeys
from rssp.services.creating import create_credential
from rssp.services.credentials import describe_credential, find_credential, list_credentials
from rssp.services.deleting import delete_credential
from rssp.services.describing import describe_service
from rssp.services.extending import extend_transaction
from rssp.services.objects import describe_auth
from rssp.services.one_time import find_standing, list_standing, prepare_credential
from rssp.services.request_status import describe_request, describe_standing, find_request, list_requests
from rssp.services.signing import sign_hashes
from rssp.views.endpoint import (
    BINDING,
    CREATION,
    DELETION,
    SERVICE,
    SERVICE_OR_CREDENTIAL,
    VerifiedToken,
    endpoint,
    open_endpoint,
    origin_of,
)
from rssp.wire import (
    Members,
    Version,
    parse_change_passkeys_request,
    parse_create_request,
    parse_delete_request,
    parse_extend_request,
    parse_info_request,
    parse_list_request,
    parse_polling_request,
    parse_sign_hash_request,
    write_credential,
    write_info,
    write_passkeys,
    write_request,
    write_response_id,
    write_sad,
    write_signatures,
    write_standing,
)
from rssp.wire.explicit import write_auth


@open_endpoint
def info(_request: HttpRequest, version: Version, _body: dict[str, Any]) -> HttpResponseBase:
    return JsonResponse(write_info(describe_service(version=version), version))


@endpoint({1: SERVICE, 2: SERVICE})
def credentials_list(
    _request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_list_request(body, version, is_user_known=not token.is_client)
    found, next_page = list_credentials(token=token, request=wanted)
    answer: dict[str, Any] = {"credentialIDs": [row.credential_id for row in found]}
    if next_page is not None:
        answer["nextPageToken"] = next_page
    if wanted.credential_info:
        answer["credentialInfos"] = [
            {"credentialID": row.credential_id} | _write(row, wanted.members, version) for row in found
        ]
    if version == 2 and (standing := list_standing(token=token)):
        answer["credentialIDs"] += [row.credential_id for row in standing]
        if wanted.credential_info:
            answer["credentialInfos"] += [_write_standing(row) for row in standing]
    if wanted.only_valid:
        answer["onlyValid"] = True
    elif version == 2 and (requests := list_requests(token=token)):
        described = [describe_request(request=row) for row in requests]
        answer["certificateRequests"] = [
            {"credentialID": row.credential_id} | write_request(row, version) for row in described
        ]
    return JsonResponse(answer)


@endpoint({1: SERVICE, 2: SERVICE_OR_CREDENTIAL})
def credentials_info(
    _request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_info_request(body)
    if (waiting := find_request(token=token, credential_id=wanted.credential_id)) is not None:
        return JsonResponse(write_request(describe_request(request=waiting), version))
    if version == 2 and (standing := find_standing(token=token, credential_id=wanted.credential_id)) is not None:
        return JsonResponse(write_standing(describe_standing(request=standing)))
    credential = find_credential(token=token, credential_id=wanted.credential_id)
    return JsonResponse(_write(credential, wanted.members, version))


@endpoint({2: SERVICE})
def credentials_prepare_certificate(
    request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_info_request(body)
    made = prepare_credential(token=token, credential_id=wanted.credential_id, origin=origin_of(request))
    answer = {"credentialID": made.credential_id} | _write(made, wanted.members, version)
    return JsonResponse(answer, status=201)


def _write_standing(standing: CertificateRequest) -> dict[str, Any]:
    described = describe_standing(request=standing)
    return {"credentialID": standing.credential_id} | write_standing(described)


def _write(credential: Credential, members: Members, version: Version) -> dict[str, Any]:
    answer = write_credential(describe_credential(credential=credential), members, version)
    if credential.is_opened_by_oauth:
        return answer
    return answer | write_auth(describe_auth(credential=credential), version, auth_info=members.auth_info)


@endpoint({1: SERVICE, 2: SERVICE_OR_CREDENTIAL})
def sign_hash(request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]) -> HttpResponseBase:
    wanted = parse_sign_hash_request(body, version, needs_sad="credential" not in token.scopes)
    if wanted.later is not None:
        accepted = accept_call(bearer=token, request=wanted, later=wanted.later, origin=origin_of(request))
        return JsonResponse(write_response_id(accepted))
    return JsonResponse(write_signatures(sign_hashes(bearer=token, request=wanted, origin=origin_of(request))))


@endpoint({2: SERVICE_OR_CREDENTIAL})
def sign_polling(
    _request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_polling_request(body, is_user_known=not token.is_client)
    return JsonResponse(write_signatures(poll_call(bearer=token, request=wanted)))


@endpoint({1: SERVICE, 2: SERVICE})
def credentials_extend_transaction(
    request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_extend_request(body, version)
    sad, seconds = extend_transaction(bearer=token, request=wanted, origin=origin_of(request))
    return JsonResponse(write_sad(sad, seconds))


@endpoint({2: CREATION})
def credentials_create(
    request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_create_request(body)
    made = create_credential(token=token, request=wanted, origin=origin_of(request))
    answer = {"credentialID": made.credential_id}
    if made.state == CertificateRequest.State.STANDING:
        return JsonResponse(_write_standing(made), status=201)
    if made.made is None:
        return JsonResponse(answer | write_request(describe_request(request=made), version), status=202)
    described = describe_credential(credential=made.made)
    return JsonResponse(answer | write_credential(described, wanted.members, version), status=201)


@endpoint({2: BINDING})
def credentials_change_passkeys(
    request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    wanted = parse_change_passkeys_request(body)
    bound = change_passkeys(token=token, request=wanted, origin=origin_of(request))
    return JsonResponse(write_passkeys(wanted.credential_id, [(item.passkey_id, item.bound) for item in bound]))


@endpoint({2: DELETION})
def credentials_delete(
    request: HttpRequest, _version: Version, token: VerifiedToken, body: dict[str, Any]
) -> HttpResponseBase:
    delete_credential(token=token, request=parse_delete_request(body), origin=origin_of(request))
    return HttpResponse(status=204)
