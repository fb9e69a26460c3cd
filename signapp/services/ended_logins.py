"""Logins that the authorization server says are over: they end here too, at once."""

import logging
from datetime import UTC, datetime
from hashlib import sha256

from django.db import IntegrityError, transaction

from signapp.clients.logout_tokens import verify_logout_token
from signapp.errors import LogoutNotVerifiedError
from signapp.models import Login, UsedLogoutToken

log = logging.getLogger(__name__)


def end_logins(*, logout_token: str) -> int:
    """Ends what this logout token names, and answers how many logins; one token counts once.

    The browsers' sessions lose their login at their next request. Raises `LogoutNotVerifiedError` or
    `AuthorizationServerUnavailableError`.
    """
    verified = verify_logout_token(logout_token)
    ended = Login.objects.filter(issuer=verified.issuer)
    if verified.subject:
        ended = ended.filter(subject=verified.subject)
    if verified.session_id:
        ended = ended.filter(session_id=verified.session_id)
    seen = sha256(f"{verified.issuer}\n{verified.token_id}".encode()).hexdigest()
    try:
        with transaction.atomic(using=Login.objects.db):
            UsedLogoutToken.objects.create(checksum=seen, expires_at=datetime.fromtimestamp(verified.forget_at, UTC))
            count = int(ended.delete()[0])
    except IntegrityError:
        log.warning("a logout token came twice")
        raise LogoutNotVerifiedError from None
    log.info("the authorization server ended %d logins", count)
    return count
