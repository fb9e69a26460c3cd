"""Who may ask."""

from dataclasses import replace

from gateway.clients import introspection
from gateway.clients.introspection import VerifiedCaller
from gateway.errors import ClientNotAllowedError, InvalidTokenError
from gateway.models import ClientPolicy
from gateway.services.proofs import Call, verify_possession

__all__ = ["Call", "VerifiedCaller", "verify_caller"]

_LONGEST_TOKEN = 4096


def verify_caller(*, call: Call) -> VerifiedCaller:
    """Who is behind an ``Authorization`` header, ``Bearer`` (RFC 6750, 2.1) or ``DPoP`` (RFC 9449, 7.1), a user or a
    client that acts alone, and presents the token as its holder.

    Raises `InvalidTokenError`, and `ClientNotAllowedError` for a client's own token where no operator allowed it.
    """
    scheme, _, token = (call.authorization or "").partition(" ")
    scheme, token = scheme.lower(), token.strip()
    if scheme not in {"bearer", "dpop"} or not token or len(token) > _LONGEST_TOKEN or not token.isascii():
        raise InvalidTokenError
    caller = introspection.verify_token(token)
    verify_possession(confirmation=caller.confirmation, scheme=scheme, token=token, call=call)
    return _with_policy(caller) if caller.acts_alone else caller


def _with_policy(caller: VerifiedCaller) -> VerifiedCaller:
    policy = ClientPolicy.objects.filter(client_id=caller.client_id, active=True, may_seal=True).first()
    if policy is None:
        raise ClientNotAllowedError
    return replace(caller, seal_owner=policy.seal_owner)
