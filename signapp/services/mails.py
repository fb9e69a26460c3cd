"""What this role writes, as settings.LETTERS sends it: HTML and text with the same words, under the product's name."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
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


def send(letter: Letter, *, to: str, reply_to: str = "", connection: BaseEmailBackend | None = None) -> bool:
    """Whether it was taken, by ``connection`` if there is one that is kept open. What cannot be sent is logged, without
    whom it was for."""
    sent = import_string(settings.LETTERS)(to=to, reply_to=reply_to, connection=connection, **vars(letter))
    return bool(sent)
