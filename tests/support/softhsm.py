"""A SoftHSM token of a test's own, with the PKCS#11 spy in front of it if calls are to be counted.

The spy writes every call into one file of the process, PIN and all: `forget_calls` empties it after each test,
and it goes with the test run's folder.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from rssp.hsm.pkcs11 import Pkcs11Hsm
from rssp.hsm.softhsm import ensure_token

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SPY = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so"
PIN = "482913"
LABEL = "test"


@dataclass(frozen=True)
class Token:
    """Make it, open it as often as wanted, move it away and back."""

    directory: Path
    module: str = MODULE

    def prepare(self) -> bool:
        """Also points SoftHSM at it, from the next initialisation on."""
        self.directory.mkdir(exist_ok=True)
        os.environ["SOFTHSM2_CONF"] = str(self.directory / "softhsm2.conf")
        return ensure_token(
            directory=self.directory,
            configuration=self.directory / "softhsm2.conf",
            label=LABEL,
            pin=PIN,
            module=MODULE,
        )

    def open(self, *, pin: str = PIN, module: str | None = None) -> Pkcs11Hsm:
        return Pkcs11Hsm(
            module_path=module or self.module, token_label=LABEL, pin=pin, lock_path=self.directory / "login.lock"
        )

    def move_away(self) -> None:
        (self.directory / "tokens").rename(self.directory / "away")

    def bring_back(self) -> None:
        (self.directory / "away").rename(self.directory / "tokens")


def spy_on(log: Path) -> str:
    """The spy's path, to be used as the module. The first log that a process names is the one it keeps."""
    os.environ.setdefault("PKCS11SPY", MODULE)
    os.environ.setdefault("PKCS11SPY_OUTPUT", str(log))
    return SPY


def read_calls() -> list[str]:
    """The names of the calls so far, in order. A C_Sign that only asks for a signature's length is not one."""
    log = Path(os.environ["PKCS11SPY_OUTPUT"])
    if not log.exists():
        return []
    entries = re.split(r"^\d+: (C_\w+)$", log.read_text(errors="replace"), flags=re.MULTILINE)
    names_and_texts = zip(entries[1::2], entries[2::2], strict=True)
    return [name for name, text in names_and_texts if not (name == "C_Sign" and "SignatureLen] NULL" in text)]


def count_c_sign() -> int:
    """Signatures alone: an HMAC, which binds a wrapped key to its row, is none."""
    log = Path(os.environ["PKCS11SPY_OUTPUT"])
    text = log.read_text(errors="replace") if log.exists() else ""
    return signing_calls(text).count(("C_Sign", False))


def signing_calls(text: str) -> list[tuple[str, bool]]:
    """C_SignInit and C_Sign of the spy's log without those of an HMAC, each with whether it asked for a length."""
    entries = re.split(r"^\d+: (C_\w+)$", text, flags=re.MULTILINE)
    is_hmac: dict[str, bool] = {}
    calls = []
    for name, entry in zip(entries[1::2], entries[2::2], strict=True):
        if name not in {"C_SignInit", "C_Sign"}:
            continue
        session = re.search(r"hSession = (\S+)", entry)
        assert session, entry
        if name == "C_SignInit":
            is_hmac[session[1]] = "HMAC" in entry
        only_length = name == "C_Sign" and "SignatureLen] NULL" in entry
        if not is_hmac.get(session[1], False):
            calls.append((name, only_length))
    return calls


def forget_calls() -> None:
    """Empties the log, which holds the PIN; the spy keeps it open."""
    os.truncate(os.environ["PKCS11SPY_OUTPUT"], 0)
