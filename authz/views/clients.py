"""What clients and resource servers call: token, pushed requests, introspection, revocation, user info, keys."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from oauth2_provider.oauth2_backends import get_oauthlib_core

from authz.decorators import client_endpoint
from authz.error_responses import classify, json_error
from authz.errors import (
    AuthzError,
    InvalidClientError,
    InvalidProofError,
    InvalidRequestError,
    InvalidTokenError,
    ProofNonceRequiredError,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
)
from authz.models import Application, Face
from authz.models.faces import FACE
from authz.services import backchannel, mails, tokens
from authz.services.authorization_requests import push_request
from authz.services.proofs import verify_proof
from authz.services.signing_keys import list_public_keys
from authz.views.client_authentication import authenticate, confirm, read_call, read_presented, refuse_malformed
from authz.wire import CIBA, CLIENT_CREDENTIALS, CONFIRMATION, Confirmation


def _form(request: HttpRequest) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, values in request.POST.lists() for value in values]


@client_endpoint
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """RFC 6749, section 3.2. The provider serves codes and refresh tokens, and knows more than this server serves."""
    try:
        refuse_malformed(request)
        grant_type = request.POST.get("grant_type")
        if grant_type not in {"authorization_code", "refresh_token", CLIENT_CREDENTIALS, CIBA}:
            raise UnsupportedGrantTypeError("The grant_type is not one of this server's.")
        application = authenticate(request)
        confirmation = request.META[CONFIRMATION] = confirm(request, application)
        if grant_type == CLIENT_CREDENTIALS:
            return JsonResponse(_client_token(request, application, confirmation))
        if grant_type == CIBA:
            return JsonResponse(_out_of_band_token(request, application, confirmation))
    except AuthzError as error:
        return json_error(request, error)
    _, headers, body, status = get_oauthlib_core().create_token_response(request)
    return _relay(headers, body, status)


def _client_token(request: HttpRequest, application: Application, confirmation: Confirmation) -> dict[str, Any]:
    """RFC 6749, section 4.4."""
    return tokens.issue_client_token(
        application=application,
        scope=request.POST.get("scope", ""),
        resources=[str(value) for value in request.POST.getlist("resource")],
        confirmation=confirmation,
    )


def _out_of_band_token(request: HttpRequest, application: Application, confirmation: Confirmation) -> dict[str, Any]:
    """CIBA Core, section 10.1."""
    if not application.may_ask_out_of_band:
        raise UnauthorizedClientError("This client may not ask users out of band.")
    if "auth_req_id" not in request.POST:
        raise InvalidRequestError("auth_req_id is missing.")
    answered = backchannel.read_answer(auth_req_id=request.POST["auth_req_id"], application=application)
    return tokens.redeem_out_of_band(request=answered, confirmation=confirmation)


@client_endpoint
@require_POST
def bc_authorize(request: HttpRequest) -> HttpResponse:
    """CIBA Core, section 7; poll mode, the user named by ``login_hint``."""
    try:
        refuse_malformed(request)
        application = authenticate(request)
        if {"login_hint_token", "id_token_hint", "request", "user_code"} & set(request.POST):
            raise InvalidRequestError("Only login_hint names the user here.")
        opened = backchannel.open_request(
            application=application,
            scope=request.POST.get("scope", ""),
            login_hint=request.POST.get("login_hint", ""),
            authorization_details=request.POST.get("authorization_details", ""),
            binding_message=request.POST.get("binding_message", ""),
        )
    except AuthzError as error:
        return json_error(request, error)
    mails.tell_of_request(consent=opened.consent)
    return JsonResponse(
        {"auth_req_id": opened.auth_req_id, "expires_in": opened.expires_in, "interval": opened.interval}
    )


@client_endpoint
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """RFC 7009: 200 whether or not there was such a token."""
    try:
        refuse_malformed(request)
        authenticate(request)
    except AuthzError as error:
        return json_error(request, error)
    _, headers, body, status = get_oauthlib_core().create_revocation_response(request)
    return _relay(headers, body, status)


def _relay(headers: dict[str, str], body: str | None, status: int) -> HttpResponse:
    response = HttpResponse(body or "", status=status, content_type="application/json")
    for name, value in headers.items():
        response[name] = value
    return response


@client_endpoint
@require_POST
def pushed_authorize(request: HttpRequest) -> HttpResponse:
    """RFC 9126, section 2."""
    try:
        refuse_malformed(request)
        application = authenticate(request)
        call = read_call(request)
        request_uri, expires_in = push_request(
            application=application,
            parameters=_form(request),
            face=request.META.get(FACE, Face.OAUTH),
            thumbprint="" if call is None else verify_proof(call=call),
        )
    except AuthzError as error:
        return json_error(request, error)
    return JsonResponse({"request_uri": request_uri, "expires_in": expires_in}, status=201)


@client_endpoint
@require_POST
def introspect(request: HttpRequest) -> HttpResponse:
    """RFC 7662; confidential clients only."""
    try:
        refuse_malformed(request)
        caller = authenticate(request)
        if caller.client_type != Application.CLIENT_CONFIDENTIAL:
            raise InvalidClientError("Client authentication failed.")
        if "token" not in request.POST:
            raise InvalidRequestError("token is missing.")
    except AuthzError as error:
        return json_error(request, error)
    return JsonResponse(tokens.introspect_token(access_token=request.POST["token"], caller=caller))


@client_endpoint
@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Core, section 5.3; the token comes in the header alone, with its proof if it is bound."""
    try:
        live = read_presented(request)
        scopes = live.scope.split()
        if "openid" not in scopes:
            raise InvalidTokenError("The token does not have the scope openid.")
    except (InvalidProofError, ProofNonceRequiredError) as error:
        # As a resource, this server answers 401 (RFC 9449, sections 7.1 and 9).
        response = json_error(request, error)
        response.status_code = HTTPStatus.UNAUTHORIZED
        response["WWW-Authenticate"] = f'DPoP error="{classify(error)[1]}"'
        return response
    except AuthzError as error:
        return json_error(request, error)
    claims: dict[str, Any] = {"sub": str(live.user.sub)}
    if "profile" in scopes:
        claims["name"] = live.user.name
    if "email" in scopes:
        claims |= {"email": live.user.email, "email_verified": live.user.is_email_verified}
    return JsonResponse(claims)


@require_GET
def jwks(_request: HttpRequest) -> HttpResponse:
    """The public keys of what this server signs (RFC 7517)."""
    response = JsonResponse({"keys": list_public_keys()})
    response["Cache-Control"] = "public, max-age=300"
    return response
