"""The language of whoever reads: which one an application asks for, and which one mails are written in."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings
from django.utils import translation

from authz.models import User

# RFC 5646 as applications write it, and with the underscore that programs have in its place.
_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
_LONGEST_TAG = 35  # RFC 5646, 4.4.1
_MOST_TAGS = 10


def find_asked_language(parameters: Mapping[str, str]) -> str:
    """The first language of ours in ``lang`` (CSC API, 8.4.2) or ``ui_locales`` (OpenID Connect Core, 3.1.2.1), else
    nothing. What is unknown or malformed is no mistake: both are wishes."""
    asked = [parameters.get("lang", ""), *parameters.get("ui_locales", "").split(" ", _MOST_TAGS)[:_MOST_TAGS]]
    return next(filter(None, map(_find_language, asked)), "")


def _find_language(tag: str) -> str:
    if len(tag) > _LONGEST_TAG or not _TAG.fullmatch(tag):
        return ""
    try:
        return translation.get_supported_language_variant(tag.lower().replace("_", "-"))
    except LookupError:
        return ""


def remember_language(*, user: User, language: str | None) -> None:
    """What the account's pages were shown in last: its mails are written in it."""
    if language and language != user.language:
        User.objects.filter(pk=user.pk).update(language=language)
        user.language = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Everything that is translated inside is in this language, or the installation's own where it is none of ours."""
    with translation.override(_find_language(language) or settings.LANGUAGE_CODE):
        yield
