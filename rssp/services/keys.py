"""Signers' keys: taken, opened for a signature, destroyed. Where one is kept is nobody else's business.

>>> key = take_key(key_algorithm="ec-p256")
>>> with open_key(key=key) as signer:
...     signature = signer.sign_digest(operation=operation, digest=digest)

A resident key is an object in the token. A wrapped key is in the database, and in the token only while it signs
(docs/decisions/0010-wrapped-keys.md).
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from rssp.algorithms import DigestSigner, WrappedKey
from rssp.errors import HsmError, KeyBindingError, KeyNotFoundError
from rssp.models import KeyEncryptionKey, SigningKey
from rssp.services.hsm import get_hsm
from rssp.services.keks import KekRetiredError, lock_kek, provide_kek

log = logging.getLogger(__name__)

State, Storage = SigningKey.State, SigningKey.Storage

# What a token shows of a key names no signer.
_LABEL = "signer"


def take_key(*, key_algorithm: str, one_time: bool = False) -> SigningKey:
    """A key that is nobody else's, ``assigned`` and committed: from the pool, or else made now.

    Whoever takes a key gives it to a credential, or calls `destroy_key`. Raises `HsmError`; then there is no key.
    """
    while (key := _take_pooled(key_algorithm, one_time=one_time)) is not None:
        try:
            _verify_made_here(key)
        except (KeyBindingError, KeyNotFoundError) as error:
            # The certificate would be for a public key that somebody else may have the private key of.
            log.critical(
                "the pooled key %s is destroyed, it is not as it was made (%s)", bytes(key.key_id).hex(), error
            )
            destroy_key(key=key)
        else:
            return key
    return make_key(key_algorithm=key_algorithm, state=State.ASSIGNED, one_time=one_time)


@contextmanager
def open_key(*, key: SigningKey) -> Iterator[DigestSigner]:
    """The key, ready to sign until the block ends. Entering may raise `HsmUnavailableError`, `KeyNotFoundError` or
    `KeyBindingError`, and certainly did not sign; signing raises `SigningFailedError`."""
    with ExitStack() as stack:
        try:
            signer = stack.enter_context(_open(key))
        except KeyNotFoundError:
            before = key.kek_id
            key.refresh_from_db()
            if key.kek_id == before:
                raise
            # A rotation wrapped the key again and took the old KEK away, after the row was read.
            signer = stack.enter_context(_open(key))
        yield signer


def destroy_key(*, key: SigningKey) -> None:
    """For ever; a second time changes nothing. Raises `HsmError` if the token still has it: the row then says so."""
    if key.storage == Storage.RESIDENT:
        hsm = get_hsm()
        hsm.verify_available()  # of a token that is gone, a library may say that it holds no such key
        hsm.destroy_key(key_id=bytes(key.key_id))
    SigningKey.objects.filter(pk=key.pk).exclude(state=State.DESTROYED).update(
        state=State.DESTROYED, destroyed=timezone.now(), wrapped_key=None
    )
    key.refresh_from_db()


def make_key(*, key_algorithm: str, state: str, one_time: bool = False) -> SigningKey:
    """A new key, kept as the settings say, committed. Raises `HsmError`."""
    key = SigningKey(
        key_id=secrets.token_bytes(16),
        key_algorithm=key_algorithm,
        storage=settings.KEY_STORAGE,
        state=state,
        assigned=timezone.now() if state == State.ASSIGNED else None,
        one_time=one_time,
    )
    if key.storage == Storage.RESIDENT:
        _make_resident(key)
    else:
        _make_wrapped(key)
    return key


def read_wrapped_key(key: SigningKey, kek: KeyEncryptionKey) -> WrappedKey:
    """What the token is given to open the key."""
    return WrappedKey(
        key_id=bytes(key.key_id),
        key_algorithm=key.key_algorithm,
        public_key=bytes(key.public_key),
        kek_id=bytes(kek.key_id),
        wrapped_key=bytes(key.wrapped_key or b""),
        binding=bytes(key.binding or b""),
    )


def write_wrapped_key(key: SigningKey, wrapped: WrappedKey, kek: KeyEncryptionKey) -> None:
    key.public_key, key.kek = wrapped.public_key, kek
    key.wrapped_key, key.binding = wrapped.wrapped_key, wrapped.binding


def rewrap_key(*, key: SigningKey, kek: KeyEncryptionKey) -> bool:
    """Wrapped by ``kek`` from now on, if nobody changed or destroyed it meanwhile; raises `HsmError`."""
    if key.kek is None:
        return False
    before = bytes(key.wrapped_key or b"")
    wrapped = get_hsm().rewrap_key(key=read_wrapped_key(key, key.kek), kek_id=bytes(kek.key_id))
    unchanged = SigningKey.objects.filter(pk=key.pk, kek=key.kek, wrapped_key=before)
    return bool(unchanged.update(kek=kek, wrapped_key=wrapped.wrapped_key, binding=wrapped.binding))


def _open(key: SigningKey) -> AbstractContextManager[DigestSigner]:
    if key.state != State.ASSIGNED:
        raise KeyNotFoundError("the key is not assigned")
    if key.kek is None:
        return get_hsm().open_key(key_id=bytes(key.key_id))
    return get_hsm().open_wrapped_key(key=read_wrapped_key(key, key.kek))


def _take_pooled(key_algorithm: str, *, one_time: bool) -> SigningKey | None:
    """Two who come at once get two keys: PostgreSQL skips the row that another one holds, SQLite has one writer."""
    with transaction.atomic(using=router.db_for_write(SigningKey)):
        pooled = SigningKey.objects.filter(state=State.POOLED, key_algorithm=key_algorithm).order_by("pk")
        key = pooled.select_for_update(skip_locked=True).first()
        if key is None:
            return None
        key.state, key.assigned, key.one_time = State.ASSIGNED, timezone.now(), one_time
        key.save(update_fields=["state", "assigned", "one_time"])
    return key


def _verify_made_here(key: SigningKey) -> None:
    """Between making and taking, whoever writes to the database could have put a key of their own into the pool."""
    if key.kek is not None:
        get_hsm().verify_wrapped_key(key=read_wrapped_key(key, key.kek))
        return
    held = get_hsm().read_public_key(key_id=bytes(key.key_id), key_algorithm=key.key_algorithm)
    if held != bytes(key.public_key):
        raise KeyBindingError("the row has another public key than the token")


def _make_resident(key: SigningKey) -> None:
    key_id = bytes(key.key_id)
    try:
        key.public_key = get_hsm().generate_key(key_id=key_id, label=_LABEL, key_algorithm=key.key_algorithm)
        with transaction.atomic(using=router.db_for_write(SigningKey), durable=True):
            key.save(force_insert=True)
    except Exception:
        _destroy_unrecorded(key_id)
        raise


def _make_wrapped(key: SigningKey) -> None:
    """A rotation may retire the KEK while the key is being made; then it is made once more."""
    while True:
        kek = provide_kek()
        wrapped = get_hsm().generate_wrapped_key(
            kek_id=bytes(kek.key_id), key_id=bytes(key.key_id), key_algorithm=key.key_algorithm
        )
        write_wrapped_key(key, wrapped, kek)
        try:
            with transaction.atomic(using=router.db_for_write(SigningKey), durable=True):
                lock_kek(kek)
                key.save(force_insert=True)
        except KekRetiredError:
            continue
        return


def _destroy_unrecorded(key_id: bytes) -> None:
    try:
        get_hsm().destroy_key(key_id=key_id)
    except HsmError:
        log.error("the key %s has no row and was not destroyed: see list_orphan_keys", key_id.hex())
