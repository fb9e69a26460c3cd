"""What can go wrong, named by what the caller can do about it. No HTTP in here; see `error_responses`."""


class AuthzError(Exception):
    """Root of the role's errors. The message is a sentence that may be shown to whoever asked."""


class InvalidRequestError(AuthzError):
    """The client sent something that can never work; it has to be changed."""


class TooLargeError(AuthzError):
    """The body is longer than anything that could be meant."""


class InvalidScopeError(AuthzError):
    """The client asked for a scope that it may not have, or for scopes that do not go together."""


class InvalidTargetError(AuthzError):
    """The resource is unknown or not one that this client may ask for (RFC 8707)."""


class InvalidAuthorizationDetailsError(AuthzError):
    """The authorization details are of an unknown type or malformed (RFC 9396, section 5)."""


class UnsupportedResponseTypeError(AuthzError):
    """Anything but the authorization code flow."""


class UnsupportedGrantTypeError(AuthzError):
    """A grant type that this server does not serve."""


class UnauthorizedClientError(AuthzError):
    """This client may not use this way of asking."""


class InvalidClientError(AuthzError):
    """The client did not prove who it is."""


class InvalidGrantError(AuthzError):
    """The code or refresh token is unknown, used, expired or not this client's."""


class InvalidProofError(AuthzError):
    """The proof of possession is missing, malformed, used, or of another key or request (RFC 9449, 5)."""


class ProofNonceRequiredError(AuthzError):
    """The proof needs a nonce that this server sends with this answer (RFC 9449, 8)."""


class MalformedAuthenticationError(AuthzError):
    """Neither a name and password in the header nor a refresh token in the body (CSC API, 11.2)."""


class AuthenticationFailedError(AuthzError):
    """Name and password do not fit, or there is no such account; not said which (CSC API, 11.2)."""


class InvalidTokenError(AuthzError):
    """The bearer token is unknown, expired or revoked."""


class AccessDeniedError(AuthzError):
    """The user declined."""


class UnknownUserError(AuthzError):
    """The hint of a backchannel request names nobody who could be asked (CIBA Core, 13)."""


class InvalidBindingMessageError(AuthzError):
    """The binding message is too long or cannot be shown (CIBA Core, 13)."""


class ApprovalPendingError(AuthzError):
    """The user has not answered the backchannel request yet (CIBA Core, 11)."""


class SlowDownError(AuthzError):
    """As `ApprovalPendingError`, and the client asks too often."""


class ApprovalExpiredError(AuthzError):
    """Nobody answered the backchannel request in time, or its answer was not fetched in time."""


class ApprovalDeclinedError(AuthzError):
    """The user declined the backchannel request."""


class LoginRequiredError(AuthzError):
    """The client forbade any page, and nobody is logged in."""


class UnmetAuthenticationError(AuthzError):
    """The client asks for a login of a kind that there is none of (RFC 9470, 5)."""


class ConsentRequiredError(AuthzError):
    """The client forbade any page, and this needs the user's consent."""


class UntrustedRequestError(AuthzError):
    """Client or redirect URI cannot be trusted: the browser must not be sent anywhere."""


class RequestGoneError(AuthzError):
    """The pushed or pending request was used, has expired or belongs to another browser: begin again at the client."""


class AddressNotConfirmedError(AuthzError):
    """The certificate will say whose the e-mail address is, which the account's holder has to confirm first."""


class StaleApprovalError(AuthzError):
    """The page's challenge was used or replaced or has expired: the page must be shown again."""


class WrongFactorError(AuthzError):
    """Password or passkey did not verify; deliberately not said which."""


class PasskeyRefusedError(AuthzError):
    """The new passkey cannot be enrolled; another one may."""


class LastPasskeyError(AuthzError):
    """The account's only passkey cannot be removed."""


class AddressTakenError(AuthzError):
    """There is an account with this e-mail address already."""


class OutboundError(AuthzError):
    """An address that a client registered may not be called, or was not reached."""


class SigningServiceUnavailableError(AuthzError):
    """The signing service could not be asked which credentials there are; nothing was done."""


class TooManyPreparedError(AuthzError):
    """As many certificates as one person may have wait for an approval; they end within the hour."""


class ThrottledError(AuthzError):
    """Too many tries; the right answer will work again later."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many attempts.")
        self.retry_after = retry_after
