"""This process's HSM."""

from functools import cache

from django.conf import settings

from rssp.hsm.interface import Hsm
from rssp.hsm.pkcs11 import Pkcs11Hsm


def get_hsm() -> Hsm:
    """One for each process and token; opens nothing before its first use, and starts afresh in a child process."""
    return _hsm(
        module_path=settings.PKCS11_MODULE,
        token_label=settings.PKCS11_TOKEN_LABEL,
        pin=settings.PKCS11_PIN,
        lock_path=settings.VAR_DIR / "hsm.lock",
        max_sessions=settings.HSM_MAX_SESSIONS,
        wait_seconds=settings.HSM_WAIT_SECONDS,
        cache_seconds=settings.KEY_CACHE_SECONDS,
        cache_keys=settings.KEY_CACHE_KEYS,
    )


_hsm = cache(Pkcs11Hsm)
