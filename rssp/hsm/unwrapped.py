"""Unwrapped keys: destroyed after each use, or kept a short while where the settings say so.

A kept key is an object of one session, which is lent to one thread at a time: nobody destroys a key under a signature.
"""

import threading
import time

import pkcs11

from rssp.algorithms import WrappedKey
from rssp.hsm.sessions import HsmSession, KeyHandle, SessionPool, UnwrappedKey
from rssp.hsm.wrapping import unwrap_key


class UnwrappedKeys:
    """At most ``keys`` a session, each for at most ``seconds``; 0 keeps none."""

    def __init__(self, pool: SessionPool, *, seconds: float, keys: int) -> None:
        self._pool = pool
        self._seconds = seconds
        self._keys = keys
        self._timer: threading.Timer | None = None

    def open(self, session: HsmSession, key: WrappedKey) -> KeyHandle:
        """The handle of the key, which `close` takes back. Raises `KeyBindingError` or `pkcs11.PKCS11Error`."""
        kept = session.unwrapped.get(key.key_id)
        # The very same key and not another one that the row now holds, which would have to be verified first.
        if kept is not None and kept.key == key and kept.expires > time.monotonic():
            return kept.handle
        drop_expired(session, everything_of=key.key_id)
        handle = unwrap_key(session, key=key)
        if self._seconds > 0:
            while len(session.unwrapped) >= self._keys:
                drop_expired(session, everything_of=next(iter(session.unwrapped)))
            session.unwrapped[key.key_id] = UnwrappedKey(key, handle, time.monotonic() + self._seconds)
            self._watch()
        return handle

    def close(self, session: HsmSession, key: WrappedKey, handle: KeyHandle) -> None:
        """Destroys the key unless it is kept. A session that cannot even do that is given up."""
        if key.key_id not in session.unwrapped:
            _destroy(session, handle)

    def _watch(self) -> None:
        """Idle sessions have nobody to look at the clock for them."""
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(self._seconds, self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        if self._pool.drop_unwrapped(drop_expired):
            self._timer = None
            self._watch()


def drop_expired(session: HsmSession, *, everything_of: bytes | None = None) -> bool:
    """Destroys what has been kept long enough, and one key in any case; whether anything is left."""
    now = time.monotonic()
    for key_id, kept in list(session.unwrapped.items()):
        if kept.expires <= now or key_id == everything_of:
            del session.unwrapped[key_id]
            _destroy(session, kept.handle)
    return bool(session.unwrapped)


def _destroy(session: HsmSession, handle: KeyHandle) -> None:
    try:
        handle.raw.destroy()
    except pkcs11.PKCS11Error:
        session.is_broken = True  # closing it destroys what it has
