"""An HSM behind a PKCS#11 module.

>>> hsm = Pkcs11Hsm(module_path=…, token_label="paraph", pin=…, lock_path=…)
>>> with hsm.open_key(key_id=key_id) as key:
...     signature = key.sign_digest(operation=operation, digest=digest)

A lost session or token is recovered while a call is being set up: the module is initialised again and the call tried
once more. Nothing is tried again once the HSM was asked to sign. Two objects over one module would end each other's
sessions whenever one of them recovers, so a process has one.

Objects of the token are made and destroyed one at a time on a machine, each after a search. SoftHSM counts the changes
of a token in a file, and a search looks at the folder again when that number is not the one it knows. But whoever
changes something takes the new number for known, with what others changed since its last search: those objects it
never finds, nor destroys, until somebody changes something again.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pkcs11

from rssp.algorithms import DigestSigner, SigningOperation, WrappedKey, verify_digest_length, verify_signature
from rssp.errors import HsmError, HsmUnavailableError, KeyNotFoundError, SigningFailedError
from rssp.hsm.codes import make_code, make_first_code, verify_code
from rssp.hsm.epochs import raise_epoch, read_epoch
from rssp.hsm.interface import Epoch, TokenDescription
from rssp.hsm.keys import destroy_key, find_key, generate_key, list_key_ids, look_again, read_public_key
from rssp.hsm.locks import hold
from rssp.hsm.mechanisms import build_request, encode_signature
from rssp.hsm.sessions import HsmSession, KeyHandle, SessionPool
from rssp.hsm.unwrapped import UnwrappedKeys
from rssp.hsm.wrapping import generate_kek, generate_wrapped_key, rewrap_key, temporary_key, verify_wrapped_key

T = TypeVar("T")

_CHANGE_WAIT_SECONDS = 30.0  # others may be making long RSA keys

# What the token says of a request, not of itself: connecting again would change nothing.
_REFUSALS = (
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.DomainParamsInvalid,
    pkcs11.KeySizeRange,
    pkcs11.TemplateIncomplete,
    pkcs11.TemplateInconsistent,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.AttributeReadOnly,
    pkcs11.DeviceMemory,
    pkcs11.TokenWriteProtected,
    pkcs11.MultipleObjectsReturned,
)


class Pkcs11Hsm:
    """`rssp.hsm.interface.Hsm` over one token."""

    def __init__(
        self,
        *,
        module_path: str,
        token_label: str,
        pin: str,
        lock_path: Path,
        max_sessions: int = 32,
        wait_seconds: float = 5.0,
        cache_seconds: float = 0.0,
        cache_keys: int = 16,
    ) -> None:
        """At most ``max_sessions`` sessions are lent at once, and whoever finds none waits ``wait_seconds``. With
        ``cache_seconds``, each of them keeps up to ``cache_keys`` unwrapped keys for that long."""
        self._pool = SessionPool(
            module_path=module_path,
            token_label=token_label,
            pin=pin,
            lock_path=lock_path,
            max_sessions=max_sessions,
            wait_seconds=wait_seconds,
        )
        self._changes_path = lock_path.with_name(f"{lock_path.name}.changes")
        self._cache = UnwrappedKeys(self._pool, seconds=cache_seconds, keys=cache_keys)

    def generate_key(self, *, key_id: bytes, label: str, key_algorithm: str) -> bytes:
        return self._change(
            lambda session: generate_key(session.raw, key_id=key_id, label=label, key_algorithm=key_algorithm)
        )

    @contextmanager
    def open_key(self, *, key_id: bytes) -> Iterator[DigestSigner]:
        session, handle = self._set_up(lambda session: find_key(session, key_id=key_id))
        try:
            yield _KeyOnLoan(session, handle)
        finally:
            self._pool.give_back(session)

    @contextmanager
    def open_wrapped_key(self, *, key: WrappedKey) -> Iterator[DigestSigner]:
        session, handle = self._set_up(lambda session: self._cache.open(session, key), key_id=key.key_id)
        try:
            yield _KeyOnLoan(session, handle)
        finally:
            self._cache.close(session, key, handle)
            self._pool.give_back(session)

    def generate_kek(self, *, key_id: bytes, label: str) -> None:
        self._change(lambda session: generate_kek(session.raw, key_id=key_id, label=label))

    def generate_wrapped_key(self, *, kek_id: bytes, key_id: bytes, key_algorithm: str) -> WrappedKey:
        return self._call(
            lambda session: generate_wrapped_key(session, kek_id=kek_id, key_id=key_id, key_algorithm=key_algorithm)
        )

    def verify_wrapped_key(self, *, key: WrappedKey) -> None:
        self._call(lambda session: verify_wrapped_key(session, key=key))

    def rewrap_key(self, *, key: WrappedKey, kek_id: bytes) -> WrappedKey:
        return self._call(lambda session: rewrap_key(session, key=key, kek_id=kek_id))

    def read_public_key(self, *, key_id: bytes, key_algorithm: str) -> bytes:
        return self._call(lambda session: read_public_key(session.raw, key_id=key_id, key_algorithm=key_algorithm))

    def verify_signing(self) -> None:
        self._call(_verify_signing)

    def list_key_ids(self) -> Sequence[bytes]:
        return self._call(lambda session: list_key_ids(session.raw))

    def destroy_key(self, *, key_id: bytes) -> None:
        self._change(lambda session: destroy_key(session.raw, key_id=key_id))

    def describe_token(self) -> TokenDescription:
        return self._call(_describe_token)

    def read_epoch(self) -> Epoch:
        return self._call(read_epoch)

    def raise_epoch(self, *, epoch: Epoch) -> None:
        self._change(lambda session: raise_epoch(session.raw, epoch=epoch))

    def make_code(self, *, data: bytes) -> bytes:
        code = self._call(lambda session: make_code(session, data=data))
        return code or self._change(lambda session: make_first_code(session, data=data))

    def verify_code(self, *, data: bytes, code: bytes) -> bool:
        return self._call(lambda session: verify_code(session, data=data, code=code))

    def verify_available(self) -> None:
        self._call(_verify_token)

    def _call(self, action: Callable[[HsmSession], T]) -> T:
        session, result = self._set_up(action)
        self._pool.give_back(session)
        return result

    def _change(self, action: Callable[[HsmSession], T]) -> T:
        """`_call` for what makes or destroys objects of the token."""

        def change(session: HsmSession) -> T:
            with hold(self._changes_path, wait_seconds=_CHANGE_WAIT_SECONDS):
                look_again(session.raw)
                return action(session)

        return self._call(change)

    def _set_up(self, action: Callable[[HsmSession], T], *, key_id: bytes | None = None) -> tuple[HsmSession, T]:
        """A session with ``action`` done in it; once more over a new connection if the first one was lost."""
        try:
            return self._attempt(action, key_id)
        except _ConnectionLostError:
            pass
        try:
            return self._attempt(action, key_id)
        except _ConnectionLostError as error:
            self._pool.back_off()
            raise HsmUnavailableError("the token was lost and connecting again did not help") from error

    def _attempt(self, action: Callable[[HsmSession], T], key_id: bytes | None) -> tuple[HsmSession, T]:
        session = self._pool.take(key_id=key_id)
        try:
            try:
                return session, action(session)
            except pkcs11.NoSuchKey:
                # A token that is gone shows no keys either.
                _verify_token(session)
                raise
        except pkcs11.NoSuchKey:
            self._pool.give_back(session)
            raise KeyNotFoundError("the token holds no such key") from None
        except _REFUSALS as error:
            self._pool.give_back(session)
            raise HsmError(f"the token refuses ({type(error).__name__})") from error
        except pkcs11.PKCS11Error as error:
            self._pool.lose(session)
            raise _ConnectionLostError(type(error).__name__) from error
        except BaseException:
            self._pool.give_back(session)
            raise


class _ConnectionLostError(HsmError):
    """The connection failed under a call that did not sign."""


class _KeyOnLoan:
    """`rssp.algorithms.DigestSigner` over a handle that was found just now."""

    def __init__(self, session: HsmSession, handle: KeyHandle) -> None:
        self._session = session
        self._handle = handle

    def sign_digest(self, *, operation: SigningOperation, digest: bytes) -> bytes:
        verify_digest_length(operation=operation, digest=digest)
        request = build_request(operation=operation, digest=digest, curve_bytes=self._handle.curve_bytes)
        try:
            answer = self._handle.raw.sign(request.data, mechanism=request.mechanism, mechanism_param=request.parameter)
        except pkcs11.PKCS11Error as error:
            self._session.is_broken = True
            raise SigningFailedError(f"the HSM did not sign ({type(error).__name__})") from error
        return encode_signature(operation=operation, answer=answer)


def _describe_token(session: HsmSession) -> TokenDescription:
    token = session.connection.token
    parts = (token.label, token.serial, token.manufacturer_id, token.model)
    return TokenDescription(
        *(part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in parts)
    )


def _verify_token(session: HsmSession) -> None:
    session.connection.token.slot.get_token()


def _verify_signing(session: HsmSession) -> None:
    """With a key of the session's own: no signer's key is ever used to see whether the token signs."""
    operation, digest = SigningOperation("ec", "ecdsa", "sha256"), secrets.token_bytes(32)
    with temporary_key(session.raw, key_algorithm="ec-p256") as (public_key, private):
        request = build_request(operation=operation, digest=digest, curve_bytes=32)
        answer = private.sign(request.data, mechanism=request.mechanism, mechanism_param=request.parameter)
    signature = encode_signature(operation=operation, answer=answer)
    verify_signature(public_key=public_key, operation=operation, digest=digest, signature=signature)
