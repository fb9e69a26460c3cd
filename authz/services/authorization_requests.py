"""Authorization requests (RFC 6749, section 4.1.1): by query string or pushed (RFC 9126), one set of rules.

Only the authorization code flow with PKCE S256. A request that passes becomes an `AuthorizationRequest`, the only
thing that a consent can be opened with.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from authz.authorization_details import (
    AuthorizationDetails,
    CredentialAuthorization,
    CredentialDeletion,
    PasskeyBinding,
    ServiceAccess,
    parse_authorization_details,
    parse_credential_parameters,
    parse_service_access,
)
from authz.errors import (
    AuthzError,
    InvalidAuthorizationDetailsError,
    InvalidProofError,
    InvalidRequestError,
    InvalidScopeError,
    InvalidTargetError,
    RequestGoneError,
    UnauthorizedClientError,
    UnmetAuthenticationError,
    UnsupportedResponseTypeError,
    UntrustedRequestError,
)
from authz.models import Application, Face, PushedRequest
from authz.services import account_tokens
from authz.services.account_tokens import AccountToken
from authz.services.languages import find_asked_language
from authz.services.oauth_clients import OPERATOR_SCOPE
from authz.services.secrets import checksum, create_secret
from authz.wire import REQUEST_URI_PREFIX

PUSHED_LIFETIME = timedelta(seconds=90)
ACCOUNT_SCOPES = frozenset({"openid", "email", "profile", "service"})
APPROVAL_SCOPES = frozenset({"credential", "credential-creation", "credential-deletion", "passkey-binding"})
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_CREDENTIAL_PARAMETERS = frozenset(
    {"credentialID", "numSignatures", "hashes", "hash", "hashAlgorithmOID", "description", "signatureQualifier"}
)
# What another face has a word for, and this one not: refused, so that nobody takes it for heeded.
_FOREIGN_PARAMETERS = {
    Face.OAUTH: frozenset[str](),
    Face.CSC_V1: frozenset({"hashes", "authorization_details", "request_uri", "signatureQualifier"}),
    Face.CSC_V2: frozenset({"hash"}),
}
_CSC_SCOPES = APPROVAL_SCOPES | {"service"}
_AUTHENTICATION = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
# Every login of a browser has both factors, and so is of either level.
ACR_VALUES = frozenset({"aal1", "aal2"})
_MAX_STATE = 2048
_MAX_NONCE = 255
_MAX_CLIENT_DATA = 2048


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that this server is willing to put before a user. ``details`` is None for access to an account.

    ``access`` is there where an account was asked for by authorization details.
    ``account_token`` names the only account that may answer; ``client_data`` is kept with the consent and means
    nothing here. ``dpop_jkt``, if any, is the thumbprint of the key that the code will be for. ``language`` is the one
    of ours that the pages are wanted in, or empty.
    """

    application: Application
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    code_challenge: str
    nonce: str
    dpop_jkt: str
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str
    details: AuthorizationDetails | None
    face: Face
    account_token: AccountToken | None
    access: ServiceAccess | None
    client_data: str = ""
    language: str = ""


class RefusedRequestError(Exception):
    """A refusal that may be sent to the client's redirect URI, because that URI is known to be the client's."""

    def __init__(self, error: AuthzError, *, redirect_uri: str, state: str | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.redirect_uri = redirect_uri
        self.state = state


def parse_request(*, parameters: Iterable[tuple[str, str]], face: Face = Face.OAUTH) -> AuthorizationRequest:
    """Raises `UntrustedRequestError` (show it here) or `RefusedRequestError` (send it to the client)."""
    pairs = list(parameters)
    values, repeated = dict(pairs), _repeated(pairs)
    if repeated & {"client_id", "redirect_uri"}:
        raise UntrustedRequestError("The application's request names itself twice.")
    if any("\0" in text for pair in pairs for text in pair):
        raise UntrustedRequestError("The application's request is malformed.")
    application = _read_application(values.get("client_id"))
    redirect_uri = _read_redirect_uri(application, values.get("redirect_uri"))
    state = values.get("state")
    try:
        if repeated - {"resource"}:
            raise InvalidRequestError("A parameter stands twice.")
        if foreign := sorted(_FOREIGN_PARAMETERS[face] & set(values)):
            raise InvalidRequestError(f"There is no parameter {foreign[0]} here.")
        resources = [value for name, value in pairs if name == "resource"]
        return _parse_trusted(application, face, redirect_uri, values, resources)
    except AuthzError as error:
        raise RefusedRequestError(error, redirect_uri=redirect_uri, state=state) from error


def _repeated(pairs: list[tuple[str, str]]) -> set[str]:
    names = [name for name, _ in pairs]
    return {name for name in names if names.count(name) > 1} if len(set(names)) != len(names) else set()


def _read_application(client_id: str | None) -> Application:
    application: Application | None = Application.objects.filter(client_id=client_id).first() if client_id else None
    if application is None:
        raise UntrustedRequestError("The application that sent you here is not registered with this server.")
    return application


def _read_redirect_uri(application: Application, redirect_uri: str | None) -> str:
    if redirect_uri is not None:
        if not application.redirect_uri_allowed(redirect_uri):
            raise UntrustedRequestError("The application asked to send you back to an address that is not its own.")
        return redirect_uri
    registered: list[str] = application.redirect_uris.split()
    if len(registered) != 1:
        raise UntrustedRequestError("The application did not say where to send you back to.")
    return registered[0]


def _parse_trusted(
    application: Application, face: Face, redirect_uri: str, values: Mapping[str, str], resources: list[str]
) -> AuthorizationRequest:
    if application.authorization_grant_type != Application.GRANT_AUTHORIZATION_CODE:
        raise UnauthorizedClientError("This client may not ask users for anything.")
    if application.fapi_profile and "redirect_uri" not in values:
        raise InvalidRequestError("redirect_uri is missing.")
    if "request" in values:
        raise InvalidRequestError("Signed request objects are not supported.")
    if "response_type" not in values:
        raise InvalidRequestError("response_type is missing.")
    if values["response_type"] != "code" or values.get("response_mode", "query") != "query":
        raise UnsupportedResponseTypeError("Only response_type code, answered in the query, is supported.")
    if len(values.get("state", "")) > _MAX_STATE or len(values.get("nonce", "")) > _MAX_NONCE:
        raise InvalidRequestError("state or nonce is too long.")
    access = parse_service_access(values["authorization_details"]) if "authorization_details" in values else None
    scopes, details = _parse_scopes(application, values, access)
    _verify_links(details, redirect_uri)
    if face != Face.OAUTH and not set(scopes) <= _CSC_SCOPES:
        raise InvalidScopeError("The CSC API knows no such scope.")
    account_token = _parse_account_token(application, face, values)
    if "acr_values" in values and not ACR_VALUES & set(values["acr_values"].split()):
        raise UnmetAuthenticationError("No login here is of any of these levels.")
    prompt = frozenset(values.get("prompt", "").split())
    if "none" in prompt and len(prompt) > 1:
        raise InvalidRequestError("prompt none stands alone.")
    return AuthorizationRequest(
        application=application,
        redirect_uri=redirect_uri,
        state=values.get("state"),
        scopes=scopes,
        resources=_parse_resources(application, scopes, [*resources, *(access.locations if access else ())]),
        code_challenge=_parse_challenge(application, face, values),
        nonce=values.get("nonce", ""),
        dpop_jkt=_parse_thumbprint(values.get("dpop_jkt")),
        prompt=prompt,
        max_age=_parse_max_age(values.get("max_age")),
        login_hint=values.get("login_hint", "")[:254],
        details=details,
        face=face,
        account_token=account_token,
        access=access,
        client_data=values.get("clientData", "")[:_MAX_CLIENT_DATA],
        language=find_asked_language(values),
    )


def _parse_account_token(application: Application, face: Face, values: Mapping[str, str]) -> AccountToken | None:
    if face == Face.OAUTH or "account_token" not in values:
        return None
    return account_tokens.read_account_token(token=values["account_token"], application=application)


def _parse_challenge(application: Application, face: Face, values: Mapping[str, str]) -> str:
    """RFC 7636, section 4.3; a missing method would mean ``plain``, which RFC 9700 forbids. Empty for a client of the
    CSC API's first version that an operator excused."""
    challenge = values.get("code_challenge")
    if challenge is None:
        is_confidential = application.client_type == Application.CLIENT_CONFIDENTIAL
        if face == Face.CSC_V1 and is_confidential and not application.require_pkce:
            return ""
        raise InvalidRequestError("code_challenge is missing: PKCE is required.")
    if values.get("code_challenge_method") != "S256":
        raise InvalidRequestError("code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequestError("code_challenge is malformed.")
    return challenge


def _verify_links(details: AuthorizationDetails | None, redirect_uri: str) -> None:
    """Links back to documents lead where the answer goes, and to nobody else: https, or http where that is too."""
    if not isinstance(details, CredentialAuthorization):
        return
    home = urlsplit(redirect_uri)
    for link in filter(None, details.document_links):
        try:
            parts = urlsplit(link)
        except ValueError:
            raise InvalidAuthorizationDetailsError("A link is malformed.") from None
        if (parts.scheme, parts.netloc) != (home.scheme, home.netloc) or home.scheme not in ("https", "http"):
            raise InvalidAuthorizationDetailsError("documentLinks must have the redirect URI's origin.")


def _parse_thumbprint(value: str | None) -> str:
    """RFC 9449, section 10."""
    if value is not None and not _CHALLENGE.fullmatch(value):
        raise InvalidRequestError("dpop_jkt is malformed.")
    return value or ""


def _parse_scopes(
    application: Application, values: Mapping[str, str], access: ServiceAccess | None
) -> tuple[tuple[str, ...], AuthorizationDetails | None]:
    details: AuthorizationDetails | None = None
    asked = values.get("scope", "").split()
    if "authorization_details" in values:
        if _CREDENTIAL_PARAMETERS & set(values):
            raise InvalidRequestError("Give authorization_details or the parameters of scope credential, not both.")
        details = None if access else parse_authorization_details(values["authorization_details"])
        implied = "service" if details is None else _scope_of(details)
        if asked not in ([], [implied]):
            raise InvalidScopeError("The scope does not go with authorization_details.")
        if details is not None:
            _refuse_other_locations(details)
            _refuse_unknown_qualifier(details, InvalidAuthorizationDetailsError)
        scopes = [implied]
    elif asked == ["credential"]:
        details = parse_credential_parameters(values)
        _refuse_unknown_qualifier(details, InvalidRequestError)
        scopes = asked
    elif asked == [OPERATOR_SCOPE]:
        scopes = asked
    elif APPROVAL_SCOPES & set(asked):
        raise InvalidScopeError("This scope stands alone and needs its authorization_details or parameters.")
    else:
        scopes = list(dict.fromkeys(asked)) or ["service"]
        if not set(scopes) <= ACCOUNT_SCOPES:
            raise InvalidScopeError("The scope is unknown.")
    if not set(scopes) <= application.scopes():
        raise InvalidScopeError("This client may not ask for this scope.")
    return tuple(scopes), details


def _refuse_other_locations(details: AuthorizationDetails) -> None:
    """RFC 9396, section 2.2: what is approved here is for rssp, at whatever address below the CSC API's."""
    if isinstance(details, CredentialAuthorization):
        known = (settings.RSSP_RESOURCE, f"{settings.RSSP_RESOURCE}/")
        if not all(place == known[0] or place.startswith(known[1]) for place in details.locations):
            raise InvalidAuthorizationDetailsError("locations may name the signing service alone.")


def _refuse_unknown_qualifier(details: AuthorizationDetails, refusal: type[AuthzError]) -> None:
    """CSC API, 8.4.2: which kinds of signature there are is rssp's operator's word."""
    asked = details.signature_qualifier if isinstance(details, CredentialAuthorization) else ""
    if asked and asked not in settings.SIGNATURE_QUALIFIERS.values():
        raise refusal("Invalid parameter signatureQualifier")


def _scope_of(details: AuthorizationDetails) -> str:
    """What the tokens of these details are of; an approval of any of them stands alone."""
    if isinstance(details, CredentialAuthorization):
        return "credential"
    if isinstance(details, PasskeyBinding):
        return "passkey-binding"
    return "credential-deletion" if isinstance(details, CredentialDeletion) else "credential-creation"


def _parse_resources(application: Application, scopes: tuple[str, ...], asked: list[str]) -> tuple[str, ...]:
    """RFC 8707. What approves something, or is an operator's, is for rssp alone; what names nothing is for all
    allowed."""
    if (APPROVAL_SCOPES | {OPERATOR_SCOPE}) & set(scopes):
        allowed = [settings.RSSP_RESOURCE]
    else:
        allowed = list(application.allowed_resources) if "service" in scopes else []
    if not set(asked) <= set(allowed):
        raise InvalidTargetError("This client may not ask for this resource.")
    return tuple(dict.fromkeys(asked)) or tuple(allowed)


def _parse_max_age(value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise InvalidRequestError("max_age must be a number of seconds.")
    return int(value)


def push_request(
    *,
    application: Application,
    parameters: list[tuple[str, str]],
    face: Face = Face.OAUTH,
    thumbprint: str = "",
) -> tuple[str, int]:
    """Keeps a request (RFC 9126, section 2); returns its ``request_uri`` and lifetime in seconds.

    ``thumbprint`` is of the key that was proven with the request: its code will be for that key (RFC 9449, 10.1).
    Raises what `parse_request` finds wrong, unwrapped, since the answer goes to the client directly, and
    `InvalidProofError` where the request names another key.
    """
    if any(name == "request_uri" for name, _ in parameters):
        raise InvalidRequestError("request_uri cannot be pushed.")
    if any(name == "client_id" and value != application.client_id for name, value in parameters):
        raise InvalidRequestError("client_id is not the authenticated client's.")
    # Whatever authenticates the client is not part of the request and must not be kept.
    kept = [(name, value) for name, value in parameters if name not in _AUTHENTICATION | {"client_id"}]
    kept.append(("client_id", application.client_id))
    if thumbprint:
        if any(name == "dpop_jkt" and value != thumbprint for name, value in kept):
            raise InvalidProofError("dpop_jkt is not the key that the proof was made with.")
        kept = [(name, value) for name, value in kept if name != "dpop_jkt"] + [("dpop_jkt", thumbprint)]
    try:
        parse_request(parameters=kept, face=face)
    except RefusedRequestError as refused:
        raise refused.error from None
    except UntrustedRequestError as error:
        raise InvalidRequestError(str(error)) from None
    return _keep(application, kept, face), int(PUSHED_LIFETIME.total_seconds())


def _keep(application: Application, parameters: list[tuple[str, str]], face: Face) -> str:
    secret = create_secret()
    PushedRequest.objects.create(
        face=face,
        checksum=checksum(secret),
        application=application,
        parameters=parameters,
        expires=timezone.now() + PUSHED_LIFETIME,
    )
    return REQUEST_URI_PREFIX + secret


def keep_request(*, parameters: list[tuple[str, str]]) -> tuple[str, str]:
    """A request that a browser brought in a form, kept for its next step as a pushed one is.

    Answers ``client_id`` and ``request_uri``, which is handed on where it is there already. What must be pushed is
    refused. Raises as `parse_request`.
    """
    values = dict(parameters)
    if "request_uri" in values:
        return values.get("client_id", ""), values["request_uri"]
    request = parse_request(parameters=parameters)
    _refuse_unpushed(request)
    return request.application.client_id, _keep(request.application, parameters, request.face)


def _refuse_unpushed(request: AuthorizationRequest) -> None:
    if request.application.require_pushed_requests or request.application.fapi_profile:
        error = InvalidRequestError("This client must push its requests.")
        raise RefusedRequestError(error, redirect_uri=request.redirect_uri, state=request.state)


def take_request(*, parameters: list[tuple[str, str]], face: Face = Face.OAUTH) -> AuthorizationRequest:
    """The request that a browser brought: by reference, used up by this call, or in the query string itself.

    Parameters beside ``request_uri`` and ``client_id`` are ignored. Raises as `parse_request`, and
    `RequestGoneError` where the reference is unknown, used, expired, another client's or of another face.
    """
    values = dict(parameters)
    is_pushed = "request_uri" in values and face != Face.CSC_V1
    request = _take_pushed(values, face) if is_pushed else parse_request(parameters=parameters, face=face)
    if not is_pushed:
        _refuse_unpushed(request)
    try:
        if request.account_token is not None:
            account_tokens.take_account_token(token=request.account_token)
    except AuthzError as error:
        raise RefusedRequestError(error, redirect_uri=request.redirect_uri, state=request.state) from None
    return request


def _take_pushed(values: Mapping[str, str], face: Face) -> AuthorizationRequest:
    lookup: dict[str, Any] = {
        "checksum": checksum(values["request_uri"].removeprefix(REQUEST_URI_PREFIX)),
        "application__client_id": values.get("client_id", ""),
        "face": face,
    }
    now = timezone.now()
    pushed = PushedRequest.objects.filter(**lookup, used=None, expires__gt=now).first()
    if pushed is None or not PushedRequest.objects.filter(pk=pushed.pk, used=None).update(used=now):
        raise RequestGoneError("The application's request was used already or has expired.")
    return parse_request(parameters=[(name, value) for name, value in pushed.parameters], face=face)
