"""Faults inside a serving process, at named points of a signature.

A file in the folder, named as the point, arms it once: ``kill`` ends the process as SIGKILL does, ``wait`` holds the
call until the file ``go`` is there.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEFORE_RESERVING = "before-reserving"
AFTER_RESERVING = "after-reserving"
AFTER_INTENT = "after-intent"
AFTER_SIGNING = "after-signing"
AFTER_OUTCOME = "after-outcome"
POINTS = (BEFORE_RESERVING, AFTER_RESERVING, AFTER_INTENT, AFTER_SIGNING, AFTER_OUTCOME)


def arm(folder: Path, point: str, what: str = "kill") -> None:
    folder.mkdir(exist_ok=True)
    (folder / point).write_text(what, encoding="ascii")


def is_armed(folder: Path, point: str) -> bool:
    return (folder / point).exists()


def let_go(folder: Path) -> None:
    (folder / "go").touch()


def install(folder: str) -> None:
    """Wraps the steps of signHash in this process."""
    from rssp.hsm import pkcs11
    from rssp.services import signing

    # An answer about a certificate, or a list of those that are revoked, is signed by the same method: between its
    # intent and its outcomes the thread signs for a signer.
    here = threading.local()

    def reached(point: str) -> None:
        if point == AFTER_SIGNING and not getattr(here, "signs", False):
            return
        here.signs = point in {AFTER_INTENT, AFTER_SIGNING}
        strike(Path(folder), point)

    def around(module: Any, name: str, before: str | None = None, after: str | None = None) -> None:
        real: Callable[..., Any] = getattr(module, name)

        def wrapped(*arguments: Any, **parameters: Any) -> Any:
            if before:
                reached(before)
            result = real(*arguments, **parameters)
            if after:
                reached(after)
            return result

        setattr(module, name, wrapped)

    around(signing, "reserve_digests", BEFORE_RESERVING, AFTER_RESERVING)
    around(signing, "record_intent", after=AFTER_INTENT)
    around(signing, "record_outcomes", after=AFTER_OUTCOME)
    around(pkcs11._KeyOnLoan, "sign_digest", after=AFTER_SIGNING)


def strike(folder: Path, point: str) -> None:
    try:
        what = (folder / point).read_text(encoding="ascii")
        (folder / point).unlink()
    except FileNotFoundError:
        return
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while not (folder / "go").exists():
        time.sleep(0.02)
    (folder / "go").unlink()
