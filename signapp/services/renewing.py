"""Swapping a login's tokens before they expire: once, whichever tab comes first.

The authorization server takes a refresh token that comes twice for stolen and ends the login. So a lease, taken by one
conditional UPDATE, decides who swaps; the others wait for the row to change.
"""

import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from signapp.clients import authorization_server
from signapp.documents import decrypt_text, encrypt_text
from signapp.errors import AuthorizationServerUnavailableError, LoginRequiredError
from signapp.models import Login

_AHEAD = timedelta(seconds=60)
_WAIT_STEP = 0.05


def renew(login: Login) -> Login:
    """The login with an access token that lives for a minute at least; usually the one given.

    Raises `LoginRequiredError` if the server ended it, `AuthorizationServerUnavailableError`.
    """
    deadline = time.monotonic() + settings.CLIENT_TIMEOUT_SECONDS
    while login.access_expires_at - timezone.now() < _AHEAD:
        if _takes_lease(login):
            return _swap(login)
        if time.monotonic() > deadline:
            raise AuthorizationServerUnavailableError
        time.sleep(_WAIT_STEP)
        login = _read(login)
    return login


def _read(login: Login) -> Login:
    found = Login.objects.filter(pk=login.pk).first()
    if found is None:
        raise LoginRequiredError
    return found


def _takes_lease(login: Login) -> bool:
    now = timezone.now()
    until = now + timedelta(seconds=2 * settings.CLIENT_TIMEOUT_SECONDS)
    same = Login.objects.filter(pk=login.pk, refresh_token=login.refresh_token)
    return bool(same.filter(lease_until=None).update(lease_until=until)) or bool(
        same.filter(lease_until__lt=now).update(lease_until=until)
    )


def _swap(login: Login) -> Login:
    row = Login.objects.filter(pk=login.pk, refresh_token=login.refresh_token)
    try:
        tokens = authorization_server.refresh_tokens(refresh_token=decrypt_text(login.refresh_token))
        now = timezone.now()
        row.update(
            access_token=encrypt_text(tokens.access_token),
            access_expires_at=now + timedelta(seconds=tokens.expires_in),
            refresh_token=encrypt_text(tokens.refresh_token),
            checked_at=now,
            lease_until=None,
        )
    except LoginRequiredError:
        row.delete()
        raise
    except BaseException:
        row.update(lease_until=None)
        raise
    return _read(login)
