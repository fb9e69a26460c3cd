"""Who may ask, and for what."""

from rssp.clients import introspection
from rssp.clients.introspection import VerifiedToken
from rssp.errors import InsufficientScopeError
from rssp.wire import parse_bearer

__all__ = ["VerifiedToken", "verify_caller"]


def verify_caller(*, authorization: str | None, scopes: frozenset[str]) -> VerifiedToken:
    """The live token of an ``Authorization: Bearer`` header that has one of ``scopes``.

    Raises `MalformedAuthorizationError`, `TokenError` or `AuthorizationServerUnavailableError`.
    """
    token = introspection.verify_token(parse_bearer(authorization))
    if not token.scopes & scopes:
        raise InsufficientScopeError("the token is not for this method")
    return token
