"""Logged-in sessions of one process: one that owns the login for life, the others lent and taken back.

The session that logged in owns the login (closing it logs all out), so it is never lent. A process logs in once, under
a file lock, because logins by several processes at once spoil SoftHSM's reads. Nothing is opened before the first use,
and a child process starts afresh.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pkcs11

from rssp.algorithms import WrappedKey
from rssp.errors import HsmUnavailableError
from rssp.hsm.library import Library
from rssp.hsm.locks import hold

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_WAIT_SECONDS = 10.0
_PIN_ERRORS = (
    pkcs11.PinExpired,
    pkcs11.PinIncorrect,
    pkcs11.PinInvalid,
    pkcs11.PinLenRange,
    pkcs11.PinLocked,
    pkcs11.UserPinNotInitialized,
)


@dataclass(eq=False)
class Connection:
    """The module and the token since the last initialisation; ``owner`` holds the login."""

    library: Library
    token: pkcs11.Token
    owner: pkcs11.Session


@dataclass(frozen=True)
class KeyHandle:
    """A private key's object; ``curve_bytes`` is the length of a coordinate, 0 for RSA."""

    raw: Any
    curve_bytes: int


@dataclass(frozen=True)
class UnwrappedKey:
    """A session object that is kept until ``expires`` (monotonic seconds)."""

    key: WrappedKey
    handle: KeyHandle
    expires: float


@dataclass(eq=False)
class HsmSession:
    """A session on loan, with the handles of keys that it has met, by kind and key id, and the keys that were
    unwrapped in it, by key id: they are the session's own objects and end with it."""

    connection: Connection
    raw: pkcs11.Session
    handles: dict[tuple[str, bytes], KeyHandle] = field(default_factory=dict)
    unwrapped: dict[bytes, UnwrappedKey] = field(default_factory=dict)
    epoch: Any = None  # the restore epoch's object, once it was met
    code_secrets: list[Any] = field(default_factory=list)  # of `rssp.hsm.codes`
    is_broken: bool = False


class SessionPool:
    """Sessions with one token of one module. Everything raises `HsmUnavailableError` when there are none to be had."""

    def __init__(
        self,
        *,
        module_path: str,
        token_label: str,
        pin: str,
        lock_path: Path,
        max_sessions: int = 32,
        wait_seconds: float = 5.0,
    ) -> None:
        self._max_sessions = max_sessions
        self._wait_seconds = wait_seconds
        self._module_path = module_path
        self._token_label = token_label
        self._pin = pin
        self._lock_path = lock_path
        self._pin_refused = False
        self._start_afresh()
        os.register_at_fork(after_in_child=self._start_afresh)

    def _start_afresh(self) -> None:
        """A child has not its parent's sessions, and the parent's locks may be held by threads that are gone."""
        self._changed = threading.Condition()
        self._connection: Connection | None = None
        self._idle: list[HsmSession] = []
        self._lent: set[HsmSession] = set()
        self._retry_at = 0.0

    def take(self, *, key_id: bytes | None = None) -> HsmSession:
        """A session that lives and is logged in, until `give_back`; if there is a choice, one in which ``key_id`` is
        unwrapped. Where all are lent it waits a while."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._lent) < self._max_sessions, timeout=self._wait_seconds):
                raise HsmUnavailableError("every session that may be open is in use")
            connection = self._connect()
            session = self._choose(key_id) or HsmSession(connection, self._open(connection))
            if not connection.library.is_logged_in(session.raw):
                self._forget()
                session = HsmSession(connection := self._connect(), self._open(connection))
            self._lent.add(session)
            return session

    def _choose(self, key_id: bytes | None) -> HsmSession | None:
        chosen = next((idle for idle in self._idle if key_id in idle.unwrapped), None)
        if chosen is not None:
            self._idle.remove(chosen)
            return chosen
        return self._idle.pop() if self._idle else None

    def give_back(self, session: HsmSession) -> None:
        with self._changed:
            self._lent.discard(session)
            self._changed.notify_all()
            if session.connection is not self._connection:
                return  # its handle died with its connection, and may by now be another session's
            if not session.is_broken:
                self._idle.append(session)
                return
            try:
                session.raw.close()
            except pkcs11.PKCS11Error:
                self._forget()

    def lose(self, session: HsmSession) -> None:
        """Takes back a session whose connection is lost; the next `take` connects again."""
        with self._changed:
            self._lent.discard(session)
            self._changed.notify_all()
            if session.connection is self._connection:
                self._forget()

    def drop_unwrapped(self, drop: Callable[[HsmSession], bool]) -> bool:
        """``drop`` for every session that is not lent; whether any still keeps an unwrapped key."""
        with self._changed:
            left = [session for session in self._idle if session.unwrapped and drop(session)]
            return bool(left) or any(session.unwrapped for session in self._lent)

    def back_off(self) -> None:
        """Leaves the token alone for a moment: connecting again did not help."""
        with self._changed:
            self._forget()
            self._retry_at = time.monotonic() + _RETRY_SECONDS

    def _forget(self) -> None:
        self._connection = None
        self._idle.clear()

    def _open(self, connection: Connection) -> pkcs11.Session:
        try:
            return connection.token.open(rw=True)
        except pkcs11.PKCS11Error as error:
            self._forget()
            raise HsmUnavailableError(f"no session can be had ({type(error).__name__})") from error

    def _connect(self) -> Connection:
        # Initialising ends every session, so those on loan come back first.
        if not self._changed.wait_for(lambda: self._connection or not self._lent, timeout=_WAIT_SECONDS):
            raise HsmUnavailableError("the connection was lost and its sessions are still in use")
        if self._connection:
            return self._connection
        if self._pin_refused:
            raise HsmUnavailableError("the token refused the PIN; it is not tried again until the process restarts")
        if time.monotonic() < self._retry_at:
            raise HsmUnavailableError("the token could not be reached a moment ago")
        try:
            self._connection = self._log_in()
        except _PIN_ERRORS as error:
            self._pin_refused = True
            logger.critical("the HSM refused PKCS11_PIN (%s): correct it and restart", type(error).__name__)
            raise HsmUnavailableError("the token refused the PIN") from None
        except (pkcs11.PKCS11Error, HsmUnavailableError, OSError) as error:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            logger.error("the HSM cannot be reached (%s: %s)", type(error).__name__, error)
            raise HsmUnavailableError("the token cannot be reached") from error
        return self._connection

    def _log_in(self) -> Connection:
        with hold(self._lock_path, wait_seconds=_WAIT_SECONDS):
            library = Library(self._module_path)
            token = library.find_token(self._token_label)
            if token.flags & (pkcs11.TokenFlag.USER_PIN_FINAL_TRY | pkcs11.TokenFlag.USER_PIN_LOCKED):
                raise pkcs11.PinLocked  # a wrong PIN would be one too many, and ours may be the wrong one
            return Connection(library, token, token.open(user_pin=self._pin))
