"""Whether this process can sign. Whoever asks often gets the same answer for a while, so asking costs the token little
however many ask; the test signature is made with a key of the moment and never with a signer's."""

import threading
import time
from dataclasses import dataclass

from django.conf import settings

from rssp.errors import HsmError, SigningFailedError
from rssp.services.hsm import get_hsm


@dataclass(frozen=True)
class Health:
    """``hsm`` is available or unavailable; ``test_signature`` is verified, failed, or not made."""

    hsm: str
    test_signature: str

    @property
    def is_well(self) -> bool:
        return self.hsm == "available" and self.test_signature != "failed"


class _Memory:
    """The last answer of this process, and the lock of who looks anew."""

    def __init__(self) -> None:
        self.looking = threading.Lock()
        self.health: Health | None = None
        self.until = 0.0


_memory = _Memory()


def check_health() -> Health:
    with _memory.looking:
        if _memory.health is None or time.monotonic() >= _memory.until:
            _memory.health = _look()
            _memory.until = time.monotonic() + settings.HEALTH_SECONDS
        return _memory.health


def _look() -> Health:
    hsm = get_hsm()
    try:
        hsm.verify_available()
        if not settings.HEALTH_TEST_SIGNATURE:
            return Health("available", "not made")
        hsm.verify_signing()
    except SigningFailedError:
        return Health("available", "failed")
    except HsmError:
        return Health("unavailable", "not made")
    return Health("available", "verified")
