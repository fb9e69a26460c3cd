"""The letters that an instance in development leaves in files, read as they are read by whom they are for.

    page.goto(instance.mailbox.await_link(BOB.email, "/invitations/"))

A worker may write a letter after a page said that it is on its way, several may lie in one file, and other people are
written to beside: so a letter is waited for, it is one person's, and none is taken for the next one of its kind.
"""

import email
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from functools import lru_cache
from pathlib import Path

_SECONDS = 90
# What Django's file backend writes after each message; what follows the last of them is still being written.
_END = b"\n" + b"-" * 79 + b"\n"


class NoLetterError(Exception):
    """It did not come in time; the message is a sentence."""


@lru_cache(maxsize=1024)
def _parse(message: bytes) -> tuple[str, str]:
    """Whom it is to, and its plain text."""
    parsed = email.message_from_bytes(message, policy=policy.default)
    body = parsed.get_body(("plain",))
    return str(parsed["To"]), str(body.get_content()) if body is not None else ""


@dataclass
class Mailbox:
    """Everybody's letters in ``folder``. Who shares an instance shares this, and what was read in it."""

    folder: Path
    _read: set[tuple[str, int]] = field(default_factory=set, init=False)

    def await_link(self, address: str, path: str, *, seconds: float = _SECONDS) -> str:
        """The newest link whose address holds ``path``, as `await_match` finds it. Raises `NoLetterError`."""
        return self.await_match(address, rf"https?://\S*{re.escape(path)}\S+", seconds=seconds)[0]

    def await_match(self, address: str, pattern: str, *, seconds: float = _SECONDS) -> re.Match[str]:
        """What the pattern finds first in the newest letter to this address that it finds something in, once one has
        come. That letter and those before it that it fits are then read and found no more. Raises `NoLetterError`."""
        deadline = time.monotonic() + seconds
        while True:
            fitting = {
                place: found
                for place, to, text in self._letters()
                if to == address and place not in self._read and (found := re.search(pattern, text))
            }
            if fitting:
                self._read.update(fitting)
                return list(fitting.values())[-1]
            if time.monotonic() > deadline:
                raise NoLetterError(f"No letter to {address} with {pattern} came within {seconds} seconds.")
            time.sleep(0.1)

    def _letters(self) -> Iterator[tuple[tuple[str, int], str, str]]:
        """Where each complete letter lies, whom it is to, and its text; the newest last."""
        for path in sorted(self.folder.glob("*"), key=lambda each: (each.stat().st_mtime_ns, each.name)):
            for number, message in enumerate(path.read_bytes().split(_END)[:-1]):
                yield (path.name, number), *_parse(message)
