"""The one table from this role's errors to HTTP statuses and OAuth error codes."""

import logging
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse

from authz import errors
from authz.services.proofs import create_nonce

logger = logging.getLogger(__name__)

TABLE: dict[type[errors.AuthzError], tuple[HTTPStatus, str]] = {
    errors.InvalidRequestError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.TooLargeError: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "invalid_request"),
    errors.InvalidScopeError: (HTTPStatus.BAD_REQUEST, "invalid_scope"),
    errors.InvalidTargetError: (HTTPStatus.BAD_REQUEST, "invalid_target"),
    errors.InvalidAuthorizationDetailsError: (HTTPStatus.BAD_REQUEST, "invalid_authorization_details"),
    errors.UnsupportedResponseTypeError: (HTTPStatus.BAD_REQUEST, "unsupported_response_type"),
    errors.UnsupportedGrantTypeError: (HTTPStatus.BAD_REQUEST, "unsupported_grant_type"),
    errors.UnauthorizedClientError: (HTTPStatus.BAD_REQUEST, "unauthorized_client"),
    errors.InvalidClientError: (HTTPStatus.UNAUTHORIZED, "invalid_client"),
    errors.InvalidGrantError: (HTTPStatus.BAD_REQUEST, "invalid_grant"),
    errors.InvalidProofError: (HTTPStatus.BAD_REQUEST, "invalid_dpop_proof"),
    errors.ProofNonceRequiredError: (HTTPStatus.BAD_REQUEST, "use_dpop_nonce"),
    errors.MalformedAuthenticationError: (HTTPStatus.UNAUTHORIZED, "invalid_request"),
    errors.AuthenticationFailedError: (HTTPStatus.BAD_REQUEST, "authentication_error"),
    errors.InvalidTokenError: (HTTPStatus.UNAUTHORIZED, "invalid_token"),
    errors.AccessDeniedError: (HTTPStatus.FORBIDDEN, "access_denied"),
    errors.UnknownUserError: (HTTPStatus.BAD_REQUEST, "unknown_user_id"),
    errors.InvalidBindingMessageError: (HTTPStatus.BAD_REQUEST, "invalid_binding_message"),
    errors.ApprovalPendingError: (HTTPStatus.BAD_REQUEST, "authorization_pending"),
    errors.SlowDownError: (HTTPStatus.BAD_REQUEST, "slow_down"),
    errors.ApprovalExpiredError: (HTTPStatus.BAD_REQUEST, "expired_token"),
    errors.ApprovalDeclinedError: (HTTPStatus.BAD_REQUEST, "access_denied"),
    errors.LoginRequiredError: (HTTPStatus.BAD_REQUEST, "login_required"),
    errors.UnmetAuthenticationError: (HTTPStatus.BAD_REQUEST, "unmet_authentication_requirements"),
    errors.ConsentRequiredError: (HTTPStatus.BAD_REQUEST, "consent_required"),
    errors.UntrustedRequestError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.RequestGoneError: (HTTPStatus.BAD_REQUEST, "invalid_request_uri"),
    errors.AddressNotConfirmedError: (HTTPStatus.FORBIDDEN, "access_denied"),
    errors.StaleApprovalError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.WrongFactorError: (HTTPStatus.BAD_REQUEST, "access_denied"),
    errors.PasskeyRefusedError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.LastPasskeyError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.AddressTakenError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.OutboundError: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    errors.SigningServiceUnavailableError: (HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable"),
    errors.TooManyPreparedError: (HTTPStatus.TOO_MANY_REQUESTS, "temporarily_unavailable"),
    errors.ThrottledError: (HTTPStatus.TOO_MANY_REQUESTS, "temporarily_unavailable"),
}

_CHALLENGES: dict[type[errors.AuthzError], str] = {
    errors.InvalidClientError: 'Basic realm="authz"',
    errors.MalformedAuthenticationError: 'Basic realm="csc", charset="UTF-8"',
    errors.InvalidTokenError: 'Bearer error="invalid_token", DPoP error="invalid_token"',
}


def classify(error: errors.AuthzError) -> tuple[HTTPStatus, str]:
    """Status and code; an error that nobody put into the table is ``server_error``."""
    return TABLE.get(type(error), (HTTPStatus.INTERNAL_SERVER_ERROR, "server_error"))


def json_error(request: HttpRequest, error: errors.AuthzError) -> JsonResponse:
    """The error as RFC 6749, section 5.2, has it, with the request's id."""
    status, code = classify(error)
    body: dict[str, Any] = {"error": code, "request_id": getattr(request, "request_id", "-")}
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("unmapped error %s", type(error).__name__)
    else:
        body["error_description"] = str(error)
    response = JsonResponse(body, status=status)
    if type(error) in _CHALLENGES:
        response["WWW-Authenticate"] = _CHALLENGES[type(error)]
    if isinstance(error, errors.ProofNonceRequiredError):
        response["DPoP-Nonce"] = create_nonce()
    if isinstance(error, errors.ThrottledError):
        response["Retry-After"] = str(error.retry_after)
    return response
