"""The OAuth endpoints of the CSC API, ``csc/v1/oauth2/`` and ``csc/v2/oauth2/``: the same service as below
``authz/oauth2/``, in the words of that API. What begins here is redeemed here.
"""

import json
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET

from authz import csc_answers as answers
from authz.decorators import no_store
from authz.errors import InvalidClientError, InvalidRequestError
from authz.models import Application, Face
from authz.models.faces import FACE
from authz.services import csc_oauth
from authz.views import authorize as oauth_authorize
from authz.views import clients
from authz.views.client_authentication import authenticate, basic_credentials, refuse_malformed
from authz.views.csc import csc_method

FACES = {1: Face.CSC_V1, 2: Face.CSC_V2}


@no_store
@require_GET
def forward(request: HttpRequest, version: int) -> HttpResponse:
    """``oauth2/authorize`` below the API's address, where a browser has no session (and perhaps is at rssp's host)."""
    return HttpResponseRedirect(f"{settings.ISSUER}/csc/v{version}/authorize?{request.META['QUERY_STRING']}")


def authorize(request: HttpRequest, version: int) -> HttpResponse:
    """CSC API v1, 8.3.2; v2, 8.4.2, at this server's own address."""
    request.META[FACE] = FACES[version]
    return oauth_authorize.authorize(request)


@csc_method
def pushed_authorize(request: HttpRequest, version: int) -> HttpResponse:
    """CSC API v2, 8.4.3, which has no words of its own for mistakes."""
    request.META[FACE] = FACES[version]
    return clients.pushed_authorize(request)


@csc_method
def token(request: HttpRequest, version: int) -> HttpResponse:
    """CSC API v1, 8.3.3; v2, 8.4.4."""
    face = request.META[FACE] = FACES[version]
    refuse_malformed(request)
    _refuse_nameless(request)
    grant_type = request.POST.get("grant_type")
    if not grant_type:
        raise InvalidRequestError(answers.MISSING_GRANT_TYPE)
    if grant_type not in answers.GRANT_TYPES:
        raise InvalidRequestError(answers.INVALID_GRANT_TYPE)
    needed = answers.GRANT_TYPES[grant_type]
    if needed and not request.POST.get(needed):
        raise InvalidRequestError(answers.missing(needed))
    application = _authenticate(request)
    if grant_type == "authorization_code":
        code, redirect_uri = request.POST["code"], request.POST.get("redirect_uri")
        csc_oauth.refuse_odd_code(code=code, redirect_uri=redirect_uri, application=application, face=face)
    elif grant_type == "refresh_token":
        csc_oauth.refuse_odd_refresh_token(
            refresh_token=request.POST["refresh_token"], application=application, face=face
        )
    return _in_words(clients.token(request), grant_type, version)


def _in_words(response: HttpResponse, grant_type: str, version: int) -> HttpResponse:
    """The service's answer as this API has it: its sentences, and in version 1 the type of a token that signs."""
    body = json.loads(response.content)
    if body.get("error") == "invalid_grant" and grant_type in answers.INVALID_GRANT:
        body["error_description"] = answers.INVALID_GRANT[grant_type]
    elif version == 1 and (body.get("scope"), body.get("token_type")) == ("credential", "Bearer"):
        body["token_type"] = "SAD"
    response.content = json.dumps(body).encode()
    return response


@csc_method
def revoke(request: HttpRequest, version: int) -> HttpResponse:
    """CSC API v1, 8.3.4; v2, 8.4.5: 204, and 400 for what nobody has."""
    refuse_malformed(request)
    if not request.POST.get("token"):
        raise InvalidRequestError(answers.MISSING_TOKEN)
    if request.POST.get("token_type_hint", answers.HINTS[0]) not in answers.HINTS:
        raise InvalidRequestError(answers.INVALID_HINT)
    _refuse_nameless(request)
    csc_oauth.revoke(token=request.POST["token"], application=_authenticate(request))
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _refuse_nameless(request: HttpRequest) -> None:
    """A client names itself in the body, in the header or in its assertion."""
    if not (request.POST.get("client_id") or request.POST.get("client_assertion")) and (
        "Authorization" not in request.headers
    ):
        raise InvalidRequestError(answers.MISSING_CLIENT_ID)


def _authenticate(request: HttpRequest) -> Application:
    """Who it is, as at the RFC's endpoints; what is wrong with it is said as this API says it."""
    if "Authorization" in request.headers:
        credentials = basic_credentials(request)
        if not credentials:
            raise InvalidClientError(answers.INVALID_HEADER)
        named, has_proof = credentials[0], True
    else:
        named, has_proof = request.POST.get("client_id", ""), "client_secret" in request.POST
    known = csc_oauth.find_client(client_id=named) if named else None
    if named and known is None:
        raise InvalidRequestError(answers.INVALID_CLIENT_ID)
    try:
        return authenticate(request)
    except InvalidClientError:
        if has_proof:
            raise InvalidRequestError(answers.INVALID_SECRET) from None
        if "client_assertion" not in request.POST:
            raise InvalidRequestError(answers.NO_AUTHORIZATION) from None
        raise
