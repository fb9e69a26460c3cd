"""A person shows who they are, at another OpenID provider, for a request of theirs: the browser's way there and back.
What is said there goes to the signing service alone."""

import secrets

from django.contrib.sessions.backends.base import SessionBase

from signapp.clients import gateway
from signapp.errors import IdentityDeniedError, IdentityRefusedError, IdentityStaleError
from signapp.services import pending
from signapp.services.logins import Account
from signapp.wire import CertificateRequest

_SECONDS = 600


def begin(*, session: SessionBase, account: Account, token: str, credential_id: str) -> str:
    """The provider's address to send the browser to. Raises `WrongStateError` where nobody is asked this,
    `CertificateNotUsableError`, `ServiceUnavailableError`."""
    state = secrets.token_urlsafe(32)
    address = gateway.begin_identification(token=token, credential_id=credential_id, state=state)
    pending.remember(
        session=session,
        kind=pending.IDENTITY,
        state=state,
        seconds=_SECONDS,
        subject=account.subject,
        credential_id=credential_id,
    )
    return address


def complete(
    *, session: SessionBase, account: Account, token: str, state: str, code: str, iss: str, error: str
) -> CertificateRequest:
    """Hands on what came back, once: where the request stands.

    Raises `IdentityStaleError` for a state that this browser and account did not begin with, so that nobody shows who
    they are for somebody else's request; `IdentityDeniedError`, `IdentityRefusedError`, `WrongStateError`.
    """
    begun = pending.take(session=session, kind=pending.IDENTITY, state=state)
    if begun is None or begun["subject"] != account.subject:
        raise IdentityStaleError
    if error:
        raise IdentityDeniedError
    if not code or len(code) > 2048 or len(iss) > 2048:
        raise IdentityRefusedError
    return gateway.complete_identification(
        token=token, credential_id=begun["credential_id"], state=state, code=code, iss=iss
    )
