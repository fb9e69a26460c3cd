"""Who may ask."""

from gateway.clients import introspection
from gateway.clients.introspection import VerifiedCaller
from gateway.errors import InvalidTokenError
from gateway.services.proofs import Call, verify_possession

__all__ = ["Call", "VerifiedCaller", "verify_caller"]

_LONGEST_TOKEN = 4096


def verify_caller(*, call: Call) -> VerifiedCaller:
    """The user behind an ``Authorization`` header, ``Bearer`` (RFC 6750, 2.1) or ``DPoP`` (RFC 9449, 7.1), who presents
    the token as its holder. Raises `InvalidTokenError`."""
    scheme, _, token = (call.authorization or "").partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if scheme not in {"bearer", "dpop"} or not token or len(token) > _LONGEST_TOKEN or not token.isascii():
        raise InvalidTokenError
    caller = introspection.verify_token(token)
    verify_possession(confirmation=caller.confirmation, scheme=scheme, token=token, call=call)
    return caller
