"""``auth/login`` and ``auth/revoke`` of the CSC API (v1 and v2, 11.2, 11.3): service tokens for a password alone.

Such a token is a client's of its own, `settings.CSC_LOGIN_CLIENT_ID`, and says ``amr`` ``pwd`` and ``acr`` ``aal1``. It
has scope ``service`` for rssp and can have no other: whatever a passkey approves stays with the passkey.
"""

import logging
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from authz.errors import (
    AuthenticationFailedError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidTokenError,
    WrongFactorError,
)
from authz.models import AccessToken, Application, RefreshToken
from authz.services import accounts, oauth_clients, tokens
from authz.services.events import Visitor
from authz.services.grants import create_used_grant, revoke_grant
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)


def log_in(*, email: str, password: str, address: str, is_remembered: bool) -> dict[str, Any]:
    """The answer's members; a refresh token only if it ``is_remembered``.

    Raises `AuthenticationFailedError`, with one answer after one time for everything that did not fit, or
    `ThrottledError`.
    """
    try:
        user = accounts.verify_password(email=email, password=password, visitor=Visitor(address))
    except WrongFactorError:
        raise AuthenticationFailedError("An error occurred during authentication process") from None
    value = create_secret()
    with transaction.atomic():
        grant = create_used_grant(
            application=_application(),
            user=user,
            scope="service",
            resources=[settings.RSSP_RESOURCE],
            auth_time=timezone.now(),
            amr=["pwd"],
        )
        refresh_token = create_secret() if is_remembered else None
        members = tokens.issue_under_grant(grant=grant, access_token=value, refresh_token=refresh_token, resources=[])
    logger.info("%s logged in at the CSC API with a password alone", user.sub)
    return _write(value, members)


def refresh(*, refresh_token: str) -> dict[str, Any]:
    """Swaps the refresh token of an earlier login; one that is used twice ends all that the login gave.

    Raises `InvalidRequestError`.
    """
    used = tokens.read_refresh_token(refresh_token=refresh_token, application=_application())
    if used is None:
        raise InvalidRequestError("Invalid refresh_token")
    value = create_secret()
    try:
        members = tokens.refresh_access(
            used=used, access_token=value, refresh_token=create_secret(), scope=used.scope, resources=[]
        )
    except InvalidGrantError:
        raise InvalidRequestError("Invalid refresh_token") from None
    return _write(value, members)


def _application() -> Application:
    application: Application | None = Application.objects.filter(client_id=settings.CSC_LOGIN_CLIENT_ID).first()
    # Made at the first start of this role, or here by the first who comes before.
    return application or oauth_clients.follow_csc_login()


def _write(access_token: str, members: dict[str, Any]) -> dict[str, Any]:
    told = {"access_token": access_token, "expires_in": members["expires_in"]}
    if "refresh_token" in members:
        told["refresh_token"] = members["refresh_token"]
    return told


def read_bearer(*, access_token: str) -> AccessToken:
    """The live token of a caller, if it is for rssp; raises `InvalidTokenError`."""
    bearer = tokens.read_access_token(access_token=access_token)
    if settings.RSSP_RESOURCE not in bearer.resource:
        raise InvalidTokenError("The token is for another service.")
    return bearer


def revoke(*, bearer: AccessToken, token: str) -> None:
    """Ends an access token, or a refresh token with all that its grant gave; at once, however it was issued.

    Only what is of the bearer's own client and user, or of the same client alone where there is no user; raises
    `InvalidRequestError` for any other.
    """
    own = {"application": bearer.application_id, "user": bearer.user_id, "token_checksum": checksum(token)}
    if bearer.user_id is None:
        del own["user"]
        own["user__isnull"] = True
    if AccessToken.objects.filter(**own).delete()[0]:
        return
    # One that was swapped meanwhile still names its family: nobody keeps what its owner wants to see ended.
    refreshing = RefreshToken.objects.filter(**own).select_related("grant").first()
    if refreshing is None or refreshing.grant is None or not revoke_grant(grant=refreshing.grant):
        raise InvalidRequestError("Invalid string parameter token")
