"""Introspection (RFC 7662) where one process serves rssp and authz: it is asked for with every call of the CSC API.

What HTTP inside the process would cost, a nested request and a thread of its own, is more than the answer does. So the
authorization server's services are called as its endpoint calls them, with the caller's own credentials: authz verifies
the secret, and looks at the token as it is now. Nothing is remembered from one call to the next.
"""

import logging
from typing import Any

from config.transport import refuse_open_transaction

log = logging.getLogger(__name__)


def introspect(*, client_id: str, client_secret: str, access_token: str) -> dict[str, Any] | None:
    """What authz's endpoint answers, or None where it would answer an error."""
    from authz.services.oauth_clients import authenticate_client
    from authz.services.tokens import introspect_token

    refuse_open_transaction()
    try:
        caller = authenticate_client(client_id=client_id, client_secret=client_secret)
        return introspect_token(access_token=access_token, caller=caller)
    except Exception:
        # Whatever is wrong in the other role is the other role's, as it is behind an address.
        log.exception("introspection ended in an error")
        return None
