"""The one table from this role's errors to HTTP. What is not in it is `server_error` without detail."""

import logging

from django.http import HttpRequest, JsonResponse

from gateway import errors
from gateway.wire import PROOF_ALGORITHMS

log = logging.getLogger(__name__)

# The first class that fits decides, so children stand before their parents.
STATUS: tuple[tuple[type[errors.GatewayError], int], ...] = (
    (errors.DocumentTooLargeError, 413),
    (errors.DocumentError, 422),
    (errors.InvalidRequestError, 400),
    (errors.InvalidTokenError, 401),
    (errors.TooManyPasswordsError, 429),
    (errors.ClientNotAllowedError, 403),
    (errors.KeyReusedError, 422),
    (errors.CallUnderWayError, 409),
    (errors.JobNotFoundError, 404),
    (errors.WrongStateError, 409),
    (errors.BatchIncompleteError, 409),
    (errors.DocumentBusyError, 409),
    (errors.CredentialNotUsableError, 409),
    (errors.TooManyPreparedError, 429),
    (errors.TooManyDocumentsError, 429),
    (errors.TooManyFollowersError, 429),
    (errors.ApprovalExpiredError, 410),
    (errors.ApprovalError, 403),
    (errors.IdentityRefusedError, 403),
    (errors.SigningServiceUnavailableError, 503),
    (errors.AuthorizationServerUnavailableError, 503),
    (errors.CertificateRevokedError, 409),
    (errors.LevelError, 503),
    (errors.OutboundRefusedError, 422),
    (errors.OutboundError, 503),
    (errors.StorageUnavailableError, 503),
    (errors.StorageFullError, 507),
    (errors.TrustError, 422),
    (errors.OutcomeUnknownError, 500),
    (errors.InvalidSignatureError, 500),
    (errors.StorageError, 500),
)
_RETRY_AFTER_SECONDS = "5"


def status_of(error: errors.GatewayError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def respond(request: HttpRequest, error: errors.GatewayError) -> JsonResponse:
    """``{"error", "error_description", "request_id"}`` with the error's status."""
    status = status_of(error)
    if status == 500:
        log.error("%s", type(error).__name__)
        error, status = errors.GatewayError(), 500
    response = write_error(request, status, error.code, str(error))
    if status in {429, 503} or isinstance(error, errors.CallUnderWayError):
        response["Retry-After"] = _RETRY_AFTER_SECONDS
    if status == 401:
        proof = "invalid_dpop_proof" if isinstance(error, errors.InvalidProofError) else "invalid_token"
        algorithms = " ".join(PROOF_ALGORITHMS)
        response["WWW-Authenticate"] = f'Bearer error="invalid_token", DPoP error="{proof}", algs="{algorithms}"'
    return response


def write_error(request: HttpRequest, status: int, error: str, description: str) -> JsonResponse:
    """The shape of every refusal."""
    body = {"error": error, "error_description": description, "request_id": getattr(request, "request_id", "-")}
    return JsonResponse(body, status=status)
