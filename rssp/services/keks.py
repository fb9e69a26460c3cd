"""Key-encryption keys: made when the first is needed, replaced without stopping to sign, destroyed when nothing is
wrapped by them any more."""

import logging
import secrets
from collections.abc import Iterator

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from rssp.errors import HsmError
from rssp.models import KeyEncryptionKey
from rssp.services.hsm import get_hsm

log = logging.getLogger(__name__)

State = KeyEncryptionKey.State
_LABEL = "kek"


class KekRetiredError(HsmError):
    """A rotation came in between."""


def provide_kek() -> KeyEncryptionKey:
    """The active one, made if there is none. Of two processes that make one at once the slower destroys its own."""
    return KeyEncryptionKey.objects.filter(state=State.ACTIVE).first() or _make()


def lock_kek(kek: KeyEncryptionKey) -> None:
    """Until the transaction ends no rotation retires it; raises `KekRetiredError` if one did."""
    if not KeyEncryptionKey.objects.select_for_update().filter(pk=kek.pk, state=State.ACTIVE).exists():
        raise KekRetiredError("the key-encryption key was retired meanwhile")


def replace_kek() -> KeyEncryptionKey:
    """A new active one; the one before it is retired, and still opens what it wrapped."""
    key_id = _generate()
    try:
        with transaction.atomic(using=router.db_for_write(KeyEncryptionKey)):
            active = KeyEncryptionKey.objects.select_for_update().filter(state=State.ACTIVE)
            for kek in active:
                kek.state, kek.retired = State.RETIRED, timezone.now()
                kek.save(update_fields=["state", "retired"])
            return KeyEncryptionKey.objects.create(key_id=key_id)
    except Exception:
        get_hsm().destroy_key(key_id=key_id)
        raise


def destroy_unused_keks() -> list[KeyEncryptionKey]:
    """Destroys what is retired and wraps nothing any more; tells which.

    The row goes first: from then on nobody opens anything with it, and a token that fails is asked again next time.
    """
    done = []
    for kek in KeyEncryptionKey.objects.filter(state=State.RETIRED):
        with transaction.atomic(using=router.db_for_write(KeyEncryptionKey)):
            row = KeyEncryptionKey.objects.select_for_update().get(pk=kek.pk)
            if row.signing_keys.exclude(wrapped_key=None).exists():
                continue
            row.state, row.destroyed = State.DESTROYED, timezone.now()
            row.save(update_fields=["state", "destroyed"])
        done.append(row)
    left = set(get_hsm().list_key_ids())
    for kek_id in _destroyed_ids():
        if kek_id in left:
            get_hsm().destroy_key(key_id=kek_id)
    return done


def _destroyed_ids() -> Iterator[bytes]:
    return map(bytes, KeyEncryptionKey.objects.filter(state=State.DESTROYED).values_list("key_id", flat=True))


def _make() -> KeyEncryptionKey:
    key_id = _generate()
    try:
        with transaction.atomic(using=router.db_for_write(KeyEncryptionKey)):
            return KeyEncryptionKey.objects.create(key_id=key_id)
    except IntegrityError:
        get_hsm().destroy_key(key_id=key_id)
        return KeyEncryptionKey.objects.get(state=State.ACTIVE)


def _generate() -> bytes:
    key_id = secrets.token_bytes(16)
    get_hsm().generate_kek(key_id=key_id, label=_LABEL)
    return key_id
