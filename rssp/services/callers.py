"""Who may ask, and for what."""

from django.conf import settings

from rssp.clients import introspection
from rssp.clients.introspection import VerifiedToken
from rssp.errors import InsufficientAuthenticationError, InsufficientScopeError
from rssp.services.proofs import Call, verify_possession
from rssp.wire import parse_authorization

__all__ = ["Call", "VerifiedToken", "verify_caller"]


def verify_caller(*, call: Call, scopes: frozenset[str]) -> VerifiedToken:
    """The live token of an ``Authorization`` header that has one of ``scopes``, presented by its holder.

    Raises `MalformedAuthorizationError`, `TokenError` or `AuthorizationServerUnavailableError`.
    """
    scheme, value = parse_authorization(call.authorization)
    token = introspection.verify_token(value)
    verify_possession(confirmation=token.confirmation, scheme=scheme, token=value, call=call)
    if not token.is_client and settings.REQUIRED_ACR not in ("", token.acr):
        raise InsufficientAuthenticationError("the login behind the token is too weak")
    if not token.scopes & scopes:
        raise InsufficientScopeError("the token is not for this method")
    return token
