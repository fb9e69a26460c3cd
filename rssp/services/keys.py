"""Signers' keys: taken, opened for a signature, destroyed. Where one is kept is nobody else's business.

>>> key = take_key(key_algorithm="ec-p256")
>>> with open_key(key=key) as signer:
...     signature = signer.sign_digest(operation=operation, digest=digest)
"""

import logging
import secrets
from contextlib import AbstractContextManager

from django.db import router, transaction
from django.utils import timezone

from rssp.algorithms import DigestSigner
from rssp.errors import HsmError, KeyNotFoundError
from rssp.models import SigningKey
from rssp.services.hsm import get_hsm

log = logging.getLogger(__name__)

State, Storage = SigningKey.State, SigningKey.Storage

# What a token shows of a key names no signer.
_LABEL = "signer"


def take_key(*, key_algorithm: str, one_time: bool = False) -> SigningKey:
    """A key that is nobody else's, ``assigned`` and committed: from the pool, or else made now.

    Whoever takes a key gives it to a credential, or calls `destroy_key`. Raises `HsmError`; then there is no key.
    """
    return _take_pooled(key_algorithm, one_time=one_time) or _make(key_algorithm, one_time=one_time)


def open_key(*, key: SigningKey) -> AbstractContextManager[DigestSigner]:
    """The key, ready to sign until the block ends. Entering may raise `HsmUnavailableError` or `KeyNotFoundError` and
    certainly did not sign; signing raises `SigningFailedError`."""
    if key.state != State.ASSIGNED:
        raise KeyNotFoundError("the key is not assigned")
    return get_hsm().open_key(key_id=bytes(key.key_id))


def destroy_key(*, key: SigningKey) -> None:
    """For ever; a second time changes nothing. Raises `HsmError` if the token still has it: the row then says so."""
    hsm = get_hsm()
    hsm.verify_available()  # of a token that is gone, a library may say that it holds no such key
    hsm.destroy_key(key_id=bytes(key.key_id))
    SigningKey.objects.filter(pk=key.pk).exclude(state=State.DESTROYED).update(
        state=State.DESTROYED, destroyed=timezone.now()
    )
    key.refresh_from_db()


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


def _make(key_algorithm: str, *, one_time: bool) -> SigningKey:
    hsm = get_hsm()
    key = SigningKey(
        key_id=secrets.token_bytes(16),
        key_algorithm=key_algorithm,
        storage=Storage.RESIDENT,
        state=State.ASSIGNED,
        assigned=timezone.now(),
        one_time=one_time,
    )
    key_id = bytes(key.key_id)
    try:
        key.public_key = hsm.generate_key(key_id=key_id, label=_LABEL, key_algorithm=key_algorithm)
        with transaction.atomic(using=router.db_for_write(SigningKey), durable=True):
            key.save(force_insert=True)
    except Exception:
        _destroy_unrecorded(key_id)
        raise
    return key


def _destroy_unrecorded(key_id: bytes) -> None:
    try:
        get_hsm().destroy_key(key_id=key_id)
    except HsmError:
        log.error("the key %s has no row and was not destroyed: see list_orphan_keys", key_id.hex())
