"""PINs as the database keeps them: a code that only the token can make (docs/decisions/0013-pins-by-the-token.md).

What the token is shown is a digest, so that no log of an HSM's has a PIN.
"""

import hashlib
import hmac
import secrets

from django.contrib.auth.hashers import check_password

from rssp.services.hsm import get_hsm

_SCHEME = "token-hmac-1"
_SALT_BYTES = 16


def keep_pin(*, pin: str, place: str) -> str:
    """What is sealed for ``place`` in the PIN's stead. Raises `HsmError`."""
    salt = secrets.token_bytes(_SALT_BYTES)
    code = get_hsm().make_code(data=_digest(pin, place, salt))
    return f"{_SCHEME}${salt.hex()}${code.hex()}"


def is_pin(*, pin: str, kept: str, place: str) -> bool:
    """Whether ``kept`` was made of this PIN for this place. Raises `HsmError`."""
    if is_outdated(kept):
        return check_password(pin, kept)
    _, salt, code = kept.split("$")
    return get_hsm().verify_code(data=_digest(pin, place, bytes.fromhex(salt)), code=bytes.fromhex(code))


def is_outdated(kept: str) -> bool:
    """Made by Argon2, as all were once: to be kept anew as soon as the PIN is seen."""
    return not kept.startswith(f"{_SCHEME}$")


def _digest(pin: str, place: str, salt: bytes) -> bytes:
    parts = (b"paraph PIN 1", place.encode(), pin.encode())
    return hmac.digest(salt, b"".join(len(part).to_bytes(4, "big") + part for part in parts), hashlib.sha256)
