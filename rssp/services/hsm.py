"""This process's HSM."""

from functools import cache

from django.conf import settings

from rssp.hsm.interface import Hsm
from rssp.hsm.pkcs11 import Pkcs11Hsm


def get_hsm() -> Hsm:
    """One for each process and token; opens nothing before its first use, and starts afresh in a child process."""
    return _hsm(settings.PKCS11_MODULE, settings.PKCS11_TOKEN_LABEL, settings.PKCS11_PIN, settings.VAR_DIR / "hsm.lock")


_hsm = cache(lambda module, label, pin, lock: Pkcs11Hsm(module_path=module, token_label=label, pin=pin, lock_path=lock))
