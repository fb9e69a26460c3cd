"""Logging in at the authorization server, who is logged in, and logging out."""

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.middleware.csrf import CSRF_SESSION_KEY
from django.utils import timezone

from signapp.clients import authorization_server
from signapp.clients.authorization_server import Address
from signapp.clients.login_servers import login_server
from signapp.documents import decrypt_text, encrypt_text
from signapp.errors import (
    AuthorizationServerUnavailableError,
    LoginDeclinedError,
    LoginError,
    LoginNotVerifiedError,
    LoginRequiredError,
    LoginServerAwayError,
    LoginStaleError,
    SignappError,
    StorageError,
)
from signapp.models import Login
from signapp.services import pending, renewing
from signapp.wire import clean_path

log = logging.getLogger(__name__)

LOGIN_SECONDS = 600
RECENT = timedelta(minutes=15)
_CHECK_EVERY = timedelta(seconds=30)
_SESSION_KEY = "login"
_ID_TOKEN_KEY = "login_id_token"


@dataclass(frozen=True)
class Account:
    """A person, as the authorization server knows them."""

    issuer: str
    subject: str
    email: str
    name: str
    is_operator: bool


def begin_login(*, session: SessionBase, next_path: str, sign_up: bool = False) -> str:
    """The address to send the browser to. Raises `LoginServerAwayError`."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    try:
        url = login_server().push_request(
            state=state, nonce=nonce, verifier=verifier, prompt="create" if sign_up else "login"
        )
    except AuthorizationServerUnavailableError:
        raise LoginServerAwayError from None
    pending.remember(
        session=session,
        kind=pending.LOGIN,
        state=state,
        seconds=LOGIN_SECONDS,
        verifier=encrypt_text(verifier),
        nonce=nonce,
        next=clean_path(next_path),
    )
    return url


def complete_login(*, session: SessionBase, state: str, code: str, iss: str, error: str) -> str:
    """Logs this browser in under a new session key; the path to go on to.

    Raises `LoginStaleError` for a state that this browser did not begin, `LoginNotVerifiedError` for another ``iss``
    (RFC 9207) or an ID token that does not verify, `LoginDeclinedError`, `LoginServerAwayError`.
    """
    begun = pending.take(session=session, kind=pending.LOGIN, state=state or "")
    if begun is None:
        raise LoginStaleError
    server = login_server()
    try:
        server.verify_issuer(iss or "")
        if error:
            raise LoginDeclinedError if error == "access_denied" else LoginError
        if not code:
            raise LoginNotVerifiedError
        tokens = server.redeem_code(code=code, verifier=decrypt_text(begun["verifier"]))
        identity = server.verify_id_token(id_token=tokens.id_token, nonce=begun["nonce"])
    except AuthorizationServerUnavailableError:
        raise LoginServerAwayError from None
    except StorageError:
        raise LoginStaleError from None
    now = timezone.now()
    login = Login.objects.create(
        issuer=identity.issuer,
        subject=identity.subject,
        session_id=identity.session_id,
        email=identity.email,
        name=identity.name,
        is_operator=identity.is_operator,
        access_token=encrypt_text(tokens.access_token),
        access_expires_at=now + timedelta(seconds=tokens.expires_in),
        refresh_token=renewing.keep_refresh_token(tokens.refresh_token),
        expires_at=now + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    _put_in(session, login, tokens.id_token)
    return clean_path(begun["next"])


def _put_in(session: SessionBase, login: Login, id_token: str) -> None:
    """A fresh session key before the account is in; what another account left in this browser goes with it. An
    ID token is for the logout at another provider, and for nothing else."""
    session.cycle_key()
    if previous := session.get(_SESSION_KEY):
        Login.objects.filter(pk=previous).delete()
    for name in (pending.APPROVAL, pending.IDENTITY, CSRF_SESSION_KEY):
        session.pop(name, None)
    session[_SESSION_KEY] = str(login.pk)
    if settings.EXTERNAL_ISSUER:
        session[_ID_TOKEN_KEY] = encrypt_text(id_token)


def _find_login(session: SessionBase) -> Login | None:
    login_id = session.get(_SESSION_KEY)
    if login_id is None:
        return None
    login = Login.objects.filter(pk=login_id, expires_at__gt=timezone.now()).first()
    if login is None:
        session.flush()
    return login


def read_account(*, session: SessionBase) -> Account | None:
    """Who is logged in here. Now and then the authorization server is asked whether that is still so; one that does
    not answer logs nobody out."""
    login = _find_login(session)
    if login is None:
        return None
    try:
        login = renewing.renew(login)
        _check(login)
    except AuthorizationServerUnavailableError:
        log.warning("the authorization server does not answer; a login was not checked")
    except (LoginRequiredError, StorageError):
        Login.objects.filter(pk=login.pk).delete()
        session.flush()
        return None
    return Account(login.issuer, login.subject, login.email, login.name, login.is_operator)


def _check(login: Login) -> None:
    """Raises `LoginRequiredError` if the server ended this login. Of parallel requests one asks."""
    now = timezone.now()
    mine = Login.objects.filter(pk=login.pk, checked_at__lt=now - _CHECK_EVERY).update(checked_at=now)
    if not mine or login_server().is_token_live(token=decrypt_text(login.access_token), subject=login.subject):
        return
    if Login.objects.filter(pk=login.pk, access_token=login.access_token, lease_until=None).exists():
        raise LoginRequiredError
    # Another request swapped the tokens meanwhile; the old one had to be dead.


def is_recent(*, session: SessionBase) -> bool:
    """Whether this person logged in within the last minutes: every login here is a new one at the server, with all
    that it asks for."""
    login = _find_login(session)
    return login is not None and login.created > timezone.now() - RECENT


def service_token(*, session: SessionBase) -> str:
    """The token with which other roles are called for this person. Raises `LoginRequiredError`,
    `AuthorizationServerUnavailableError`."""
    login = _find_login(session)
    if login is None:
        raise LoginRequiredError
    return decrypt_text(renewing.renew(login).access_token)


def read_address(*, account: Account, token: str) -> Address:
    """The account's e-mail address, as authz knows it now; of another provider's account it is the one that was
    verified when it logged in, or none. Raises `LoginRequiredError`, `AuthorizationServerUnavailableError`."""
    if settings.EXTERNAL_ISSUER:
        return Address(account.email, is_verified=bool(account.email))
    return authorization_server.read_address(token=token)


def end_login(*, session: SessionBase) -> str:
    """Ends the login here at once, and its tokens at the authorization server if that answers. Where the browser is to
    be sent for the server's own session to end, or an empty text."""
    login = Login.objects.filter(pk=str(session[_SESSION_KEY])).first() if _SESSION_KEY in session else None
    sealed = session.get(_ID_TOKEN_KEY)
    if login is not None:
        login.delete()
    session.flush()
    if login is None:
        return ""
    try:
        login_server().revoke_token(refresh_token=renewing.read_refresh_token(login))
        return login_server().logout_address(id_token=decrypt_text(sealed) if sealed else "")
    except SignappError as error:
        log.warning("an ended login was not ended at its server: %s", error.code)
        return ""
