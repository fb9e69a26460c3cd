"""What can go wrong in the signing service, told apart by what the caller can do about it. No HTTP in here.

``str(error)`` never holds a secret or anything that a stranger typed.
"""

from typing import Any


class RsspError(Exception):
    """Root of this role's errors."""


class DatabaseUnavailableError(RsspError):
    """The database is down, full of connections, too slow or in a deadlock; certainly nothing was signed. Try again."""


# --- The HSM ------------------------------------------------------------------------------------------------


class HsmError(RsspError):
    """Root of what the HSM can do wrong."""


class HsmUnavailableError(HsmError):
    """The token, its library or a session cannot be had; certainly nothing was signed. Try again later."""


class OldTokenError(HsmUnavailableError):
    """The token's restore epoch is lower than the database's: an old copy of the token was put in its place."""


class KeyNotFoundError(HsmError):
    """The token holds no such key."""


class KeyBindingError(HsmError):
    """A key's row is not what the token once bound together: somebody changed it. It is not used."""


class SigningFailedError(HsmError):
    """The HSM was asked to sign and failed, or gave back what does not verify: the outcome is unknown."""


class InvalidSignatureError(SigningFailedError):
    """The HSM gave back something that does not verify with the public key."""


class OutcomeNotRecordedError(SigningFailedError):
    """The HSM was asked and the ledger did not take its answer: nothing is handed out."""


# --- Algorithms ---------------------------------------------------------------------------------------------


class AlgorithmError(RsspError):
    """Root of algorithms that were asked for and are not to be had."""


class SignAlgoError(AlgorithmError):
    """``signAlgo`` is unknown or does not fit the key."""


class SignAlgoParamsMissingError(AlgorithmError):
    """``signAlgo`` needs parameters and there are none."""


class SignAlgoParamsError(AlgorithmError):
    """The parameters are malformed, contradict the hash algorithm or name a weak one."""


class HashAlgorithmMissingError(AlgorithmError):
    """``signAlgo`` implies no hash algorithm and none is named."""


class HashAlgorithmError(AlgorithmError):
    """The hash algorithm is unknown, weak or contradicts ``signAlgo``."""


class DigestLengthError(AlgorithmError):
    """A digest's length is not the hash algorithm's."""


# --- The request --------------------------------------------------------------------------------------------


class InvalidRequestError(RsspError):
    """Root of requests that must be other ones. ``str`` says which part, in our words and names alone."""


class MalformedAuthorizationError(InvalidRequestError):
    """There is no ``Authorization: Bearer`` header, or it is no such header."""


class MalformedBodyError(InvalidRequestError):
    """The body is not one strict JSON object."""


class BodyTooLongError(InvalidRequestError):
    """The body is longer than any request of this API can be."""


class MissingParameterError(InvalidRequestError):
    """A parameter is missing or of another JSON type; ``kind`` is the type as CSC names it."""

    def __init__(self, name: str, *, kind: str = "string") -> None:
        super().__init__(name)
        self.kind = kind


class InvalidParameterError(InvalidRequestError):
    """A parameter's value cannot be had. ``str`` is its name."""


class UnknownMemberError(InvalidRequestError):
    """A member that this call does not know: whoever sent it meant something by it. Of the operators' API alone."""


class UserIdError(InvalidRequestError):
    """``userID`` beside a token that names the user already."""


class EmptyHashesError(InvalidRequestError):
    """No digest to sign."""


class SignatureCountError(InvalidRequestError):
    """``numSignatures`` is no number of signatures."""


class EmptyHashError(InvalidRequestError):
    """No digest to time-stamp."""


class TooManyHashesError(InvalidRequestError):
    """More digests than one approval can hold."""


class SignedAttributesError(InvalidRequestError):
    """CMS signed attributes that are not what may be signed. ``str`` says why."""


class HashEncodingError(InvalidRequestError):
    """A digest is not base64."""


class OutOfBoundsError(InvalidRequestError):
    """A parameter's value is a good one, and beyond what this service allows. ``str`` is its name."""


class UnknownRequestError(InvalidParameterError):
    """There is no such call, or it is somebody else's, or its result is no longer kept."""


class PollingUserIdError(InvalidRequestError):
    """``userID`` beside a token that names the user already, where the texts put it in other words."""


# --- The token ----------------------------------------------------------------------------------------------


class TokenError(RsspError):
    """Root of tokens that open nothing here."""


class InvalidTokenError(TokenError):
    """The bearer token is unknown, has ended, or is meant for another service."""


class InvalidProofError(InvalidTokenError):
    """The token is bound to a key, and the proof that its holder has it is missing, wrong or used (RFC 9449, 7)."""


class InsufficientAuthenticationError(TokenError):
    """The login behind the token was weaker than this service asks for (RFC 9470, 3)."""


class InsufficientScopeError(TokenError):
    """The bearer token lives, but is not for this method."""


class NotAnOperatorError(TokenError):
    """The client, or whom it acts for, is not let into the operators' API."""


class AuthorizationServerUnavailableError(RsspError):
    """The authorization server does not answer; nothing is known about the token. Try again later."""


# --- The credential -----------------------------------------------------------------------------------------


class CredentialError(RsspError):
    """Root of credentials that cannot be used."""


class UnknownCredentialError(CredentialError):
    """There is none, or it is somebody else's: the answer is the same."""


class CredentialDisabledError(CredentialError):
    """An operator or the owner closed it."""


class CredentialEndedError(CredentialError):
    """An operator ended it for good: nothing becomes of it any more."""


class TooManyPreparedError(CredentialError):
    """The user has as many credentials for one signature as may wait for an approval. Try again later."""


class CertificateNotValidError(CredentialError):
    """``str`` is the certificate's state: expired, revoked, …; ``subject`` names it in the answer."""

    def __init__(self, status: str, *, subject: str) -> None:
        super().__init__(status)
        self.subject = subject


class AuthModeError(CredentialError):
    """The credential is opened another way: explicit ones by ``credentials/authorize``, the others by OAuth alone."""


# --- Explicit mode: the factors that a client collects ------------------------------------------------------


class FactorError(RsspError):
    """Root of factors that open nothing. What exactly was wrong is told as far as CSC's sentences do."""


class WrongPinError(FactorError):
    """The PIN is wrong or missing."""


class WrongOneTimePasswordError(FactorError):
    """The one-time password is wrong, used, too old or missing."""


class WrongFactorsError(FactorError):
    """Another factor is wrong, or what is given does not open the credential."""


class FactorLockedError(FactorError):
    """Too many tries; it opens again by itself, or by an operator. ``str`` is CSC's word for the factor: PIN, OTP."""


class ApprovalDeniedError(FactorError):
    """The signer refused the approval that was asked for out of band, or did not answer in time."""


class TooManyChallengesError(RsspError):
    """A one-time password was sent a moment ago, or the signer was sent or asked too much lately. Try again in so many
    ``seconds``."""

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class MessageNotSentError(RsspError):
    """The one-time password could not be sent. Try again later."""


class TooManyWaitsError(RsspError):
    """Too many clients wait here for a signer's approval already. Try again later."""


class SealError(RsspError):
    """A sealed secret does not open: its key is gone, or it was made for something else."""


class ExplicitModeError(RsspError):
    """Root of explicit credentials that are not made. ``str`` is a sentence for the operator."""


class ExpressionError(ExplicitModeError):
    """The expression over authentication objects is malformed, ambiguous, or never true."""


class AuthenticationObjectError(ExplicitModeError):
    """An authentication object cannot be as it was asked for."""


# --- The activation: the signer must approve again ----------------------------------------------------------


class ActivationError(RsspError):
    """Root of approvals that do not activate the key."""


class ActivationRefusedError(ActivationError):
    """The approval is not what the passkey signed, or not for this credential, user and client."""


class ActivationExpiredError(ActivationError):
    """The approval came too late."""


class ActivationReplayedError(ActivationError):
    """The approval was used before, behind another token or to its end."""


class OldEpochError(ActivationReplayedError):
    """It was authorised before a restore, and may have been used since the backup."""


class TamperingError(ActivationError):
    """Somebody else than this service wrote to the rows that open a key."""


class DigestNotAuthorizedError(ActivationError):
    """The approval does not hold this digest, or not so often."""


class DigestSpentError(DigestNotAuthorizedError):
    """The approval held this digest, and it was used."""


class DigestWithdrawnError(DigestNotAuthorizedError):
    """The approval held this digest, and ended unused when the certificate was suspended or revoked."""


class ReservationLostError(RsspError):
    """The reservation ran out before the HSM was asked; certainly nothing was signed. Try again."""


class CreationFailedError(RsspError):
    """No credential was made, and the approval is spent."""


class BellRefusedError(RsspError):
    """Somebody without this installation's proof asks for the keys to be looked after; or nobody does it."""


# --- The authority ------------------------------------------------------------------------------------------


class AuthorityError(RsspError):
    """Root of certificates that are not issued."""


class CertificatePolicyError(AuthorityError):
    """There is no such certificate policy."""


class CertificateSubjectError(AuthorityError):
    """The name or the address fits no certificate."""


class CertificateKeyError(AuthorityError):
    """No certificate is made for such a key: of another kind, too short, weak, or in a certificate already."""


class EmailNotVerifiedError(CertificateSubjectError):
    """The policy wants a verified e-mail address, and this one is not."""


class AttributeDiffersError(CertificateSubjectError):
    """The name that was asked for is not the one that an operator verified."""


class CeremonyError(AuthorityError):
    """A file that came from another installation, or how it came, is not what the authority takes."""


class AuthorityMissingError(AuthorityError):
    """The authority has no keys yet: an operator runs ``manage.py prepare_authority``."""


class CertificateLintError(AuthorityError):
    """A certificate that was just made is not what was asked for. It is not handed out."""


class IssuerUnavailableError(AuthorityError):
    """The outside authority is not reached, or its answer cannot be believed: nothing is decided. Try again later."""


class IssuerRefusedError(AuthorityError):
    """The outside authority refused. ``str`` is its reason, which operators and the signer may read."""


class WrongCertificateError(AuthorityError):
    """A certificate from outside is not the one that was asked for. ``str`` says what is wrong with it."""


class RevocationListLintError(AuthorityError):
    """A revocation list that was just made is not what was asked for. It is not published."""


# --- Certificate status -------------------------------------------------------------------------------------


class StatusError(RsspError):
    """Root of questions about certificates that get no answer. OCSP says so in words of its own (RFC 6960, 2.3)."""


class MalformedStatusRequestError(StatusError):
    """The request is no OCSPRequest, or one that nobody should send."""


class UnauthorizedStatusRequestError(StatusError):
    """Nothing in the request is about a certificate that an authority of ours issued."""


class StatusTryLaterError(StatusError):
    """The responder cannot sign at the moment, or not for this address."""


class RevocationListUnavailableError(StatusError):
    """There is no list that is still in force, and none could be made."""


# --- Decisions on requests for certificates -----------------------------------------------------------------


class DecisionError(RsspError):
    """Root of operators' decisions that are not taken. Nothing has changed."""


class RequestClosedError(DecisionError):
    """The request is in another state than the decision is for. ``str`` says in which, or why."""


class OwnRequestError(DecisionError):
    """Nobody decides on their own request."""


class SecondOperatorError(DecisionError):
    """This operator has decided already: the second of two is somebody else."""


class EvidenceMissingError(DecisionError):
    """No evidence, reason or verified attribute where one is needed. ``str`` names the fields."""


class UnchangedError(DecisionError):
    """What an operator asked for is so already, or cannot be any more."""


class KeyReusedError(RsspError):
    """The ``Idempotency-Key`` came with another request before."""


class CallUnderWayError(RsspError):
    """The first call with this ``Idempotency-Key`` is still being answered."""


class IdentityRefusedError(RsspError):
    """What came from an OpenID provider proves nothing of who asks for a certificate. ``str`` says why."""


# --- Calls that are answered later, and calls to others -----------------------------------------------------


class StillProcessingError(RsspError):
    """The call was accepted and its result is not there yet. Ask again."""


class TooManyCallsError(RsspError):
    """As many calls wait as this process holds; this one was not accepted. Try again later."""


class CallLostError(HsmUnavailableError):
    """The process that had accepted the call ended before it began; certainly nothing was signed. Try again."""


class OutboundError(RsspError):
    """Root of calls to addresses that a client named."""


class OutboundRefusedError(OutboundError):
    """Such an address is never called."""


class OutboundUnreachableError(OutboundError):
    """Nobody answers there, or not in time."""


# --- Keeping an error for later -----------------------------------------------------------------------------


def write_error(error: RsspError) -> dict[str, object]:
    """What `read_error` makes the same error of: its class's name, its sentence and what else it carries."""
    return {"name": type(error).__name__, "sentence": str(error), "members": dict(vars(error))}


def read_error(kept: dict[str, Any]) -> RsspError:
    """An error that `write_error` wrote; one that this version does not know is an `RsspError`."""
    found = globals().get(kept["name"])
    kind = found if isinstance(found, type) and issubclass(found, RsspError) else RsspError
    error = kind.__new__(kind)
    error.args = (kept["sentence"],)
    vars(error).update(kept["members"])
    return error


# --- Time-stamps --------------------------------------------------------------------------------------------


class TimestampError(RsspError):
    """Root of requests that get no time-stamp (RFC 3161, 2.4.2)."""


class MalformedTimestampRequestError(TimestampError):
    """It is no ``TimeStampReq``, or its imprint has another length than its hash algorithm makes."""


class TimestampVersionError(TimestampError):
    """It is one of another version."""


class ImprintAlgorithmError(TimestampError):
    """The imprint is by an algorithm that is unknown or weak."""


class TimestampPolicyError(TimestampError):
    """Another policy is asked for than the one there is."""


class TimestampExtensionError(TimestampError):
    """An extension is asked for."""


class TimeNotAvailableError(TimestampError):
    """Nobody can say what time it is as accurately as tokens claim. Try again later."""


class TooManyRequestsError(RsspError):
    """The caller asked as often as it may. Try again in so many ``seconds``."""

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds
