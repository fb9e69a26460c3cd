"""Who may use the operators' API, and as whom.

Three things have to agree: the authorization server grants the scope ``operator`` to a client that is registered for
it, and to people who are operators alone; this service's own setting names the client; and a client that comes without
a person stands for one who answers for it, so that four eyes are never one person's by two ways.
"""

from dataclasses import dataclass

from django.conf import settings

from rssp.clients.introspection import VerifiedToken
from rssp.errors import NotAnOperatorError
from rssp.services.auditing import Origin
from rssp.services.callers import Call, verify_caller
from rssp.services.operating import Operator

SCOPE = "operator"


@dataclass(frozen=True)
class OperatorCaller:
    """The token, and whom it makes the caller."""

    token: VerifiedToken
    operator: Operator
    origin: Origin


def verify_operator(*, call: Call, origin: Origin) -> OperatorCaller:
    """Raises `MalformedAuthorizationError`, `TokenError` or `AuthorizationServerUnavailableError`."""
    token = verify_caller(call=call, scopes=frozenset({SCOPE}))
    answers_for_it = settings.OPERATOR_API_CLIENTS.get(token.client_id)
    if answers_for_it is None or (token.is_client and not answers_for_it):
        raise NotAnOperatorError("the client is not let in, or not without a person")
    operator = Operator(
        name=f"client {token.client_id}" if token.is_client else token.username or f"{token.issuer}#{token.subject}",
        request_id=origin.request_id,
        address=origin.address,
        subject=answers_for_it if token.is_client else token.subject,
        client_id=token.client_id,
    )
    return OperatorCaller(token, operator, origin)
