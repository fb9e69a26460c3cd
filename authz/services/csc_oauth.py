"""What the CSC API says about codes and tokens in words of its own, and its revocation. Reads, but for `revoke`."""

from django.utils import timezone

from authz.csc_answers import (
    EXPIRED_REFRESH_TOKEN,
    INVALID_CODE,
    INVALID_REFRESH_TOKEN,
    UNKNOWN_TOKEN,
    WRONG_REDIRECT_URI,
)
from authz.errors import InvalidGrantError, InvalidRequestError
from authz.models import AccessToken, Application, Face, Grant, RefreshToken
from authz.services.grants import revoke_grant
from authz.services.secrets import checksum


def find_client(*, client_id: str) -> Application | None:
    """The client of this name, whoever asks."""
    application: Application | None = Application.objects.filter(client_id=client_id).first()
    return application


def refuse_odd_code(*, code: str, redirect_uri: str | None, application: Application, face: Face) -> None:
    """Raises `InvalidGrantError` for a code that this client never got at this face, or got for another address."""
    grant = Grant.objects.filter(code=checksum(code), application=application, face=face).first()
    if grant is None:
        raise InvalidGrantError(INVALID_CODE)
    if redirect_uri is not None and redirect_uri != grant.redirect_uri:
        raise InvalidGrantError(WRONG_REDIRECT_URI)


def refuse_odd_refresh_token(*, refresh_token: str, application: Application, face: Face) -> None:
    """Raises `InvalidGrantError` for one that this client never got at this face, or that is over."""
    rows = RefreshToken.objects.filter(token_checksum=checksum(refresh_token), application=application)
    token = rows.filter(grant__face=face).first()
    if token is None:
        raise InvalidGrantError(INVALID_REFRESH_TOKEN)
    if token.revoked is None and token.expires <= timezone.now():
        raise InvalidGrantError(EXPIRED_REFRESH_TOKEN)


def revoke(*, token: str, application: Application) -> None:
    """Ends this client's access token alone, or its refresh token with all that the grant gave, whatever the hint said.

    Raises `InvalidRequestError` for a token that is unknown, over or another client's.
    """
    own = {"application": application, "token_checksum": checksum(token)}
    if AccessToken.objects.filter(**own).delete()[0]:
        return
    refreshing = RefreshToken.objects.filter(**own).select_related("grant").first()
    if refreshing is None or refreshing.grant is None or not revoke_grant(grant=refreshing.grant):
        raise InvalidRequestError(UNKNOWN_TOKEN)
