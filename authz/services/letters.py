"""What this role writes, as settings.LETTERS sends it: HTML and text with the same words, under the product's name."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Letter:
    """``before``, what somebody wrote (``quotes``), ``ask``, the link as ``action``, ``after``."""

    subject: str
    name: str = ""
    before: Sequence[object] = ()
    quotes: Sequence[str] = ()
    ask: Sequence[object] = ()
    action: str = ""
    link: str = ""
    after: Sequence[object] = ()


def send(letter: Letter, *, to: str) -> bool:
    """Whether it was taken. What cannot be sent is logged, without whom it was for."""
    return bool(import_string(settings.LETTERS)(to=to, **vars(letter)))
