"""A SoftHSM token for development. SoftHSM keeps keys in files that the PIN protects: it stands in for an HSM."""

import fcntl
import secrets
from pathlib import Path

import pkcs11
from pkcs11 import TokenFlag

from rssp.errors import HsmError
from rssp.hsm.library import Library

_CONFIGURATION = """\
directories.tokendir = {tokens}
objectstore.backend = file
objectstore.umask = 0077
log.level = ERROR
slots.removable = false
"""


def ensure_token(*, directory: Path, configuration: Path, label: str, pin: str, module: str) -> bool:
    """Writes the configuration that ``SOFTHSM2_CONF`` names and makes the token if there is none; True if it did.

    The security officer's PIN is random and thrown away: nobody can reset the user's PIN, and a token whose PIN is lost
    is made anew. Not for a process that uses the token already: this one's sessions with the module end.
    """
    tokens = directory / "tokens"
    tokens.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "prepare.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        configuration.write_text(_CONFIGURATION.format(tokens=tokens), encoding="utf-8")
        try:
            token = Library(module).find_token(label)
        except pkcs11.NoSuchToken:
            _make_token(label=label, pin=pin, module=module)
            return True
        if not token.flags & TokenFlag.USER_PIN_INITIALIZED:
            raise HsmError("the token was left without a PIN: remove its directory and prepare it again")
        return False


def _make_token(*, label: str, pin: str, module: str) -> None:
    so_pin = secrets.token_hex(16)
    Library(module).initialise_token(label=label, so_pin=so_pin)
    session = Library(module).find_token(label).open(rw=True, so_pin=so_pin)
    session.init_pin(pin)
    session.close()
