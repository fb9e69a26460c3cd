"""Secrets of authentication objects as the database keeps them: encrypted, and good in one place alone.

What is sealed names its place, so that nobody who can write to the database opens a credential with what was sealed
for another one.
"""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from rssp.errors import SealError


def seal(*, value: str, place: str) -> str:
    """``value`` under the first of the keys."""
    return _fernet(tuple(settings.RSSP_FACTOR_KEYS)).encrypt(f"{place}\0{value}".encode()).decode()


def unseal(*, sealed: str, place: str) -> str:
    """What was sealed for this ``place``, under any of the keys; raises `SealError`."""
    try:
        opened = _fernet(tuple(settings.RSSP_FACTOR_KEYS)).decrypt(sealed).decode()
    except InvalidToken:
        raise SealError("no key opens this") from None
    found, _, value = opened.partition("\0")
    if found != place:
        raise SealError("this was sealed for another place")
    return value


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
