"""Seals: what a client's own token, behind which no person is, may do (CSC API v2, 8.5).

Such a token names no user. It opens the seal credentials of those owners that an operator granted to its client, and
whatever takes a grant or the mark of a seal away ends that at once.
"""

from rssp.clients.introspection import VerifiedToken
from rssp.errors import InvalidParameterError, TooManyHashesError, UnknownCredentialError
from rssp.models import Credential, SealGrant
from rssp.services.macs import verify_grant


def verify_granted_owner(*, token: VerifiedToken, user_id: str | None) -> str:
    """The ``userID`` that a client named; an unknown owner is refused as one that is not granted is."""
    if user_id is None or _read_grant(token, token.issuer, user_id) is None:
        raise InvalidParameterError("userID")
    return user_id


def verify_open_to(*, credential: Credential, token: VerifiedToken) -> None:
    """The one rule of who may use a credential: its owner, or a client with a grant for this owner's seals.

    Raises `UnknownCredentialError`, whichever is wanting, or `TamperingError` for a grant that no operator made.
    """
    if token.is_client:
        is_open = _find_grant(credential, token) is not None
    else:
        is_open = (credential.issuer, credential.subject) == (token.issuer, token.subject)
    if not is_open:
        raise UnknownCredentialError("there is no such credential for this user or client")


def verify_bounded(*, credential: Credential, token: VerifiedToken, num_signatures: int) -> None:
    """An authorisation without a person has an end that an operator set; raises `TooManyHashesError` beyond it."""
    if not token.is_client:
        return
    grant = _find_grant(credential, token)
    if grant is None or num_signatures > grant.max_signatures:
        raise TooManyHashesError("numSignatures")


def _find_grant(credential: Credential, token: VerifiedToken) -> SealGrant | None:
    if not credential.is_seal or credential.issuer != token.issuer:
        return None
    return _read_grant(token, credential.issuer, credential.subject)


def _read_grant(token: VerifiedToken, issuer: str, subject: str) -> SealGrant | None:
    found = SealGrant.objects.filter(client_id=token.client_id, issuer=issuer, subject=subject).first()
    if found is not None:
        verify_grant(found)
    return found if found is not None and found.active else None
