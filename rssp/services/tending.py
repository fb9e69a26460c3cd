"""Looking after the keys: the pool is filled, and keys for one use go when they are used or out of date.

Only a web process of this role has the token, so beat's task does nothing of this itself: it rings at an address of
this role's own with a proof that it has the installation's ``SECRET_KEY`` (docs/decisions/0011-tending-the-keys.md).
"""

import logging
import time

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.db.models import Q
from django.utils import timezone

from rssp.clients.bell import ring
from rssp.errors import BellRefusedError
from rssp.models import SigningKey
from rssp.services.keys import destroy_key, make_key
from rssp.services.one_time import destroy_finished

log = logging.getLogger(__name__)

_SECONDS = 10.0
_PROOF_SECONDS = 60
_SALT, _WORD = "rssp.tend_keys", "tend"
State = SigningKey.State


def ring_for_tending() -> None:
    """From a worker; raises `BellRefusedError` if no web process of this role did it."""
    ring(f"{settings.RSSP_URL}/rssp/tend-keys", proof=TimestampSigner(salt=_SALT).sign(_WORD))


def verify_proof(proof: str) -> None:
    """Raises `BellRefusedError` unless it was made by this installation within the last minute."""
    try:
        word = TimestampSigner(salt=_SALT).unsign(proof, max_age=_PROOF_SECONDS)
    except BadSignature:
        raise BellRefusedError("the proof is not ours, or not of now") from None
    if word != _WORD:
        raise BellRefusedError("the proof is of something else")


def tend_keys() -> tuple[int, int]:
    """How many keys were made and destroyed; about ten seconds of work at most. Raises `HsmError`."""
    deadline = time.monotonic() + _SECONDS
    destroyed = destroy_finished()
    for key in _finished_keys()[:100]:
        destroy_key(key=key)
        destroyed += 1
    made = 0
    for key_algorithm, size in settings.KEY_POOL.items():
        # Counted anew for each key: two that tend at once overfill by one at most.
        while _count_pooled(key_algorithm) < size and time.monotonic() < deadline:
            make_key(key_algorithm=key_algorithm, state=State.POOLED)
            made += 1
    if made or destroyed:
        log.info("%d keys made for the pool, %d keys for one use destroyed", made, destroyed)
    return made, destroyed


def _count_pooled(key_algorithm: str) -> int:
    return SigningKey.objects.filter(state=State.POOLED, key_algorithm=key_algorithm).count()


def _finished_keys() -> list[SigningKey]:
    """Keys for one use that signed, or whose certificate ran out, and that their signature did not destroy."""
    mine = SigningKey.objects.filter(state=State.ASSIGNED, one_time=True).exclude(credentials=None)
    used = Q(credentials__activations__digests__state__in=["signed", "unknown"])
    expired = Q(credentials__certificate__not_after__lt=timezone.now())
    return list(mine.filter(used | expired).distinct().order_by("pk"))
