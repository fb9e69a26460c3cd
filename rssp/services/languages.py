"""The language that a client wants texts in (``lang``, CSC API, 11.1, 11.4 and 11.5)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import translation

_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")  # RFC 5646, and programs' underscore
_LONGEST_TAG = 35  # RFC 5646, 4.4.1


@contextmanager
def speaking(tag: object) -> Iterator[None]:
    """Everything that is translated inside is in this language. For whatever is none of ours it is the service's own:
    that is no mistake, and the answer's ``lang`` says so."""
    with translation.override(_find_language(tag)):
        yield


def _find_language(tag: object) -> str:
    if not isinstance(tag, str) or len(tag) > _LONGEST_TAG or not _TAG.fullmatch(tag):
        return settings.LANGUAGE_CODE
    try:
        return translation.get_supported_language_variant(tag.lower().replace("_", "-"))
    except LookupError:
        return settings.LANGUAGE_CODE


def current_language() -> str:
    """For ``lang`` of an answer."""
    return translation.get_language() or settings.LANGUAGE_CODE
