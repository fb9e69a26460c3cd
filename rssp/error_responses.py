"""The one table from this role's errors to HTTP and CSC's words. What is not in it is `server_error` without detail."""

import logging
from collections.abc import Callable, Mapping

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from rssp import errors
from rssp.wire import HASH_ALGORITHM, PROOF_ALGORITHMS, Version

log = logging.getLogger(__name__)

INVALID_REQUEST = (
    "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than "
    "once, or is otherwise malformed."
)
MALFORMED_HEADER = {1: INVALID_REQUEST, 2: "Malformed authorization header."}
# Version 1 has another sentence for the header here and there, with the specification's own spelling.
_ODD_HEADERS = {
    "/csc/v1/credentials/extendTransaction": INVALID_REQUEST.replace("required", "REQUIRED", 1),
    "/csc/v1/credentials/sendOTP": "Malformed authroization header.",
}
INVALID_TOKEN = "The token provided is not a valid OAuth access or refresh token."
UNAVAILABLE = (
    "The authorization server is currently unable to handle the request due to a temporary overloading or maintenance "
    "of the server."
)
SERVER_ERROR = (
    "The authorization server encountered an unexpected condition that prevented it from fulfilling the request."
)
ACCEPTED = (
    "The previous asynchronous signature request has been accepted for processing, but the processing has not yet been "
    "completed."
)
RETRY_AFTER_SECONDS = "5"

ACCESS_DENIED = "The user, authorization server or remote service denied the request."

# What a time-stamp query that gets no token is answered with (RFC 3161, 2.4.2; asn1crypto's names); anything else is
# `SYSTEM_FAILURE`.
TIMESTAMP_FAILURES: tuple[tuple[type[errors.RsspError], str, str], ...] = (
    (errors.MalformedTimestampRequestError, "bad_data_format", "The query is not a well-formed TimeStampReq."),
    (errors.TimestampVersionError, "bad_request", "The query must be of version 1."),
    (errors.ImprintAlgorithmError, "bad_alg", "The imprint must be by SHA-256, SHA-384 or SHA-512."),
    (errors.TimestampPolicyError, "unaccepted_policy", "This authority issues under another policy."),
    (errors.TimestampExtensionError, "unaccepted_extensions", "This authority knows no extension."),
    (errors.TimeNotAvailableError, "time_not_available", "The time is not known accurately enough just now."),
)
SYSTEM_FAILURE = ("system_failure", "No token can be issued just now. Try again later.")

Sentence = Callable[[errors.RsspError, Version], str]
Code = str | Mapping[Version, str]


def _fixed(sentence: str) -> Sentence:
    return lambda _error, _version: sentence


def _missing(error: errors.RsspError, _version: Version) -> str:
    kind = error.kind if isinstance(error, errors.MissingParameterError) else "string"
    return f"Missing (or invalid type) {kind} parameter {error}"


def _certificate(error: errors.RsspError, _version: Version) -> str:
    subject = error.subject if isinstance(error, errors.CertificateNotValidError) else ""
    return f"Signing certificate '{subject}' is {error}."


def _factor(sentence: str) -> Sentence:
    """Version 1 says which factor it was, version 2 does not."""
    return lambda _error, version: sentence if version == 1 else "The authentication data is invalid"


def _wrong(code: str) -> Code:
    return {1: code, 2: "invalid_authentication_data"}


# The first class that fits decides, so children stand before their parents.
TABLE: tuple[tuple[type[errors.RsspError], int, Code, Sentence], ...] = (
    (errors.UnknownMemberError, 400, "invalid_request", _fixed("The request has a member that is not known here.")),
    (errors.NotAnOperatorError, 403, "access_denied", _fixed("This client is not let in here.")),
    (errors.KeyReusedError, 422, "idempotency_key_reused", _fixed("The key came with another request before.")),
    (errors.CallUnderWayError, 409, "call_under_way", _fixed("The first call with this key is being answered.")),
    (errors.MalformedAuthorizationError, 400, "invalid_request", lambda _, version: MALFORMED_HEADER[version]),
    (errors.BodyTooLongError, 413, "invalid_request", _fixed("The body is too long.")),
    (errors.MalformedBodyError, 400, "invalid_request", _fixed(INVALID_REQUEST)),
    (errors.MissingParameterError, 400, "invalid_request", _missing),
    (errors.PollingUserIdError, 400, "invalid_request", _fixed("userID parameter SHALL be null")),
    (errors.OutOfBoundsError, 400, "invalid_request", lambda error, _: f"Out of bounds parameter {error}"),
    (errors.InvalidParameterError, 400, "invalid_request", lambda error, _: f"Invalid parameter {error}"),
    (errors.UserIdError, 400, "invalid_request", _fixed("userID parameter MUST be null")),
    (errors.EmptyHashesError, 400, "invalid_request", _fixed("Empty hash array")),
    (errors.SignatureCountError, 400, "invalid_request", _fixed("Invalid value for parameter numSignatures")),
    (errors.EmptyHashError, 400, "invalid_request", _fixed("Empty hash parameter")),
    (errors.TooManyHashesError, 400, "invalid_request", _fixed("Numbers of signatures is too high")),
    (errors.SignedAttributesError, 400, "invalid_request", lambda error, _: f"Invalid signed attributes: {error}"),
    (errors.HashEncodingError, 400, "invalid_request", _fixed("Invalid Base64 hash string parameter")),
    (errors.DigestLengthError, 400, "invalid_request", _fixed("Invalid digest value length")),
    (errors.SignAlgoError, 400, "invalid_request", _fixed("Invalid parameter signAlgo")),
    (errors.SignAlgoParamsError, 400, "invalid_request", _fixed("Invalid parameter signAlgoParams")),
    (
        errors.SignAlgoParamsMissingError,
        400,
        "invalid_request",
        _fixed("Missing (or invalid type) string parameter signAlgoParams"),
    ),
    (
        errors.HashAlgorithmMissingError,
        400,
        "invalid_request",
        lambda _, version: f"Missing (or invalid type) string parameter {HASH_ALGORITHM[version]}",
    ),
    (
        errors.HashAlgorithmError,
        400,
        "invalid_request",
        lambda _, version: f"Invalid parameter {HASH_ALGORITHM[version]}",
    ),
    (errors.UnknownCredentialError, 400, "invalid_request", _fixed("Invalid parameter credentialID")),
    (
        errors.CredentialDisabledError,
        400,
        "invalid_request",
        _fixed("The credential identified by credentialID is disabled"),
    ),
    (
        errors.AuthModeError,
        400,
        "invalid_request",
        _fixed("The credential identified by credentialID is authorized by OAuth 2.0 alone"),
    ),
    (errors.WrongPinError, 400, _wrong("invalid_pin"), _factor("The PIN is invalid")),
    (errors.WrongOneTimePasswordError, 400, _wrong("invalid_otp"), _factor("The OTP is invalid")),
    (errors.WrongFactorsError, 400, _wrong("access_denied"), _factor(ACCESS_DENIED)),
    (errors.ApprovalDeniedError, 400, _wrong("access_denied"), _factor(ACCESS_DENIED)),
    (
        errors.FactorLockedError,
        400,
        "invalid_request",
        lambda error, version: f"{error if version == 1 else 'Credential'} locked",
    ),
    (errors.TooManyChallengesError, 429, "too_many_requests", _fixed("The signer was asked a moment ago.")),
    (errors.TooManyPreparedError, 429, "too_many_requests", _fixed("Too many signatures wait for an approval.")),
    (errors.TooManyWaitsError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.MessageNotSentError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.SealError, 500, "server_error", _fixed(SERVER_ERROR)),
    (
        errors.CredentialEndedError,
        400,
        "invalid_request",
        _fixed("The credential identified by credentialID is disabled"),
    ),
    (errors.CertificateNotValidError, 400, "invalid_request", _certificate),
    (errors.ActivationExpiredError, 400, "invalid_request", _fixed("SAD expired")),
    (errors.DigestNotAuthorizedError, 400, "invalid_request", _fixed("Hash is not authorized by the SAD.")),
    (errors.ActivationError, 400, "invalid_request", _fixed("Invalid parameter SAD")),
    (errors.CertificatePolicyError, 400, "invalid_request", _fixed("Invalid parameter certificatePolicy")),
    (
        errors.CertificateSubjectError,
        400,
        "invalid_request",
        lambda error, _: f"The certificate cannot be made: {error}.",
    ),
    (errors.CertificateKeyError, 400, "invalid_request", lambda error, _: f"The certificate cannot be made: {error}."),
    (errors.InvalidTokenError, 401, "invalid_token", _fixed(INVALID_TOKEN)),
    (
        errors.InsufficientAuthenticationError,
        401,
        "insufficient_user_authentication",
        _fixed("The login behind the token is weaker than this service asks for."),
    ),
    (errors.InsufficientScopeError, 403, "insufficient_scope", _fixed("The token is not for this method.")),
    (errors.TooManyRequestsError, 429, "too_many_requests", _fixed("Too many requests: try again later.")),
    (errors.TimeNotAvailableError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.TimestampError, 400, "invalid_request", _fixed(INVALID_REQUEST)),
    (errors.BellRefusedError, 403, "access_denied", _fixed("This address is the service's own.")),
    (errors.DatabaseUnavailableError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.HsmUnavailableError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.KeyNotFoundError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.ReservationLostError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.IssuerRefusedError, 400, "invalid_request", lambda error, _: f"The authority refused: {error}."),
    (errors.IssuerUnavailableError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.AuthorityMissingError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.AuthorizationServerUnavailableError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.StillProcessingError, 202, "accepted_request", _fixed(ACCEPTED)),
    (errors.TooManyCallsError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    # An address is refused where it is named, and an address that is not reached is nobody's answer.
    (errors.OutboundError, 400, "invalid_request", _fixed("Invalid parameter response_uri")),
    # What asks for certificates' status speaks no JSON; rssp.views.revocation has these errors' words there.
    (errors.MalformedStatusRequestError, 400, "invalid_request", _fixed(INVALID_REQUEST)),
    (errors.UnauthorizedStatusRequestError, 400, "invalid_request", _fixed(INVALID_REQUEST)),
    (errors.StatusTryLaterError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.RevocationListUnavailableError, 503, "temporarily_unavailable", _fixed(UNAVAILABLE)),
    (errors.RevocationListLintError, 500, "server_error", _fixed(SERVER_ERROR)),
    (errors.KeyBindingError, 500, "server_error", _fixed(SERVER_ERROR)),
    # What the HSM was asked for is spent, so nobody is told to try again.
    # Decisions are operators' and are answered on the page that takes them; of no request of the API.
    (errors.DecisionError, 409, "invalid_request", _fixed("The request for a certificate is in another state.")),
    (errors.IdentityRefusedError, 400, "invalid_request", lambda error, _: f"Not identified: {error}."),
    (errors.SigningFailedError, 500, "server_error", _fixed(SERVER_ERROR)),
    (errors.CreationFailedError, 500, "server_error", _fixed(SERVER_ERROR)),
    (errors.WrongCertificateError, 500, "server_error", _fixed(SERVER_ERROR)),
    (errors.CeremonyError, 500, "server_error", _fixed(SERVER_ERROR)),
    (errors.CertificateLintError, 500, "server_error", _fixed(SERVER_ERROR)),
)


Row = tuple[type[errors.RsspError], int, Code, Sentence]
# What the operators' API says otherwise than the CSC API.
OPERATORS: tuple[Row, ...] = (
    (errors.UnknownCredentialError, 404, "not_found", _fixed("There is no such credential or request.")),
    (errors.EvidenceMissingError, 400, "invalid_request", _fixed("Something is missing: the reason, or an attribute.")),
    (errors.OwnRequestError, 403, "own_credential", _fixed("It is the operator's own. Somebody else does this.")),
    (
        errors.SecondOperatorError,
        403,
        "second_operator",
        _fixed("This operator has had their say. The second one is somebody else."),
    ),
    (errors.DecisionError, 409, "wrong_state", _fixed("It is so already, or cannot be in the state that it is in.")),
    (errors.CredentialEndedError, 409, "wrong_state", _fixed("The credential is ended for good.")),
    (
        errors.WrongCertificateError,
        422,
        "wrong_certificate",
        lambda error, _: f"The certificate is not taken: {error}.",
    ),
    (errors.ExplicitModeError, 400, "invalid_request", lambda error, _: str(error)),
    (errors.MalformedAuthorizationError, 401, "invalid_token", _fixed("There is no access token.")),
)


def respond(
    request: HttpRequest, error: errors.RsspError, version: Version, *, first: tuple[Row, ...] = ()
) -> JsonResponse:
    """``{"error", "error_description", "request_id"}`` with the error's status and headers; ``first`` goes before the
    table."""
    found = next((row for row in (*first, *TABLE) if isinstance(error, row[0])), None)
    if found is None:
        log.error("%s: %s", type(error).__name__, error)
        return write_error(request, 500, "server_error", SERVER_ERROR)
    _, status, codes, sentence = found
    code = codes if isinstance(codes, str) else codes[version]
    log.log(logging.ERROR if status >= 500 else logging.INFO, "%s: %s", type(error).__name__, error)
    text = sentence(error, version)
    if isinstance(error, errors.MalformedAuthorizationError):
        text = _ODD_HEADERS.get(request.path, text)
    response = write_error(request, status, code, text)
    if status in {401, 403}:
        response["WWW-Authenticate"] = f'Bearer realm="csc", error="{code}"'
    if status == 401:
        proof = "invalid_dpop_proof" if isinstance(error, errors.InvalidProofError) else code
        response["WWW-Authenticate"] += f', DPoP error="{proof}", algs="{" ".join(PROOF_ALGORITHMS)}"'
    if isinstance(error, errors.InsufficientAuthenticationError):
        response["WWW-Authenticate"] = f'Bearer realm="csc", error="{code}", acr_values="{settings.REQUIRED_ACR}"'
    if status in {429, 503}:
        response["Retry-After"] = str(getattr(error, "seconds", RETRY_AFTER_SECONDS))
    return response


def write_error(request: HttpRequest, status: int, code: str, sentence: str) -> JsonResponse:
    body = {"error": code, "error_description": sentence, "request_id": getattr(request, "request_id", "-")}
    return JsonResponse(body, status=status)
