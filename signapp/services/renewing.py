"""Swapping a login's tokens before they expire: once, whichever tab comes first.

The authorization server takes a refresh token that comes twice for stolen and ends the login. So a lease, taken by one
conditional UPDATE, decides who swaps; the others wait for the row to change.
"""

import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from signapp.clients.login_servers import login_server
from signapp.documents import decrypt_text, encrypt_text
from signapp.errors import AuthorizationServerUnavailableError, LoginRequiredError
from signapp.models import Login

_AHEAD = timedelta(seconds=60)
_WAIT_STEP = 0.05


def keep_refresh_token(token: str) -> str:
    """What the row keeps of it: nothing where there is none."""
    return encrypt_text(token) if token else ""


def read_refresh_token(login: Login) -> str:
    """Raises `StorageError` if no key fits."""
    return decrypt_text(login.refresh_token) if login.refresh_token else ""


def renew(login: Login) -> Login:
    """The login with an access token that lives for a minute at least, if it can be renewed; usually the one given.

    Raises `LoginRequiredError` if the server ended it, `AuthorizationServerUnavailableError`.
    """
    deadline = time.monotonic() + settings.CLIENT_TIMEOUT_SECONDS
    # Without a refresh token, which another provider need not give, the login is as long as its token.
    ahead = _AHEAD if login.refresh_token else timedelta(0)
    while login.access_expires_at - timezone.now() < ahead:
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
        tokens = login_server().refresh_tokens(refresh_token=read_refresh_token(login))
        now = timezone.now()
        row.update(
            access_token=encrypt_text(tokens.access_token),
            access_expires_at=now + timedelta(seconds=tokens.expires_in),
            refresh_token=keep_refresh_token(tokens.refresh_token),
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
