"""Who may ask."""

from gateway.clients import introspection
from gateway.clients.introspection import VerifiedCaller
from gateway.errors import InvalidTokenError

__all__ = ["VerifiedCaller", "verify_caller"]

_LONGEST_TOKEN = 4096


def verify_caller(*, authorization: str | None) -> VerifiedCaller:
    """The user behind an ``Authorization: Bearer`` header (RFC 6750, 2.1). Raises `InvalidTokenError`."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN or not token.isascii():
        raise InvalidTokenError
    return introspection.verify_token(token)
