"""The language of whoever reads: pages say it, mails that a worker writes later are in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import translation

from signapp.models import Reader
from signapp.services.logins import Account

_SESSION_KEY = "reader"


def remember_language(*, session: SessionBase, account: Account, language: str) -> None:
    """What this browser shows the account, once for each change of it."""
    seen = [account.issuer, account.subject, language]
    if session.get(_SESSION_KEY) == seen:
        return
    Reader.objects.update_or_create(
        issuer=account.issuer, subject=account.subject, defaults={"language": clean_language(language)}
    )
    session[_SESSION_KEY] = seen


def clean_language(code: str) -> str:
    """The language of ours that comes nearest, else the installation's own."""
    try:
        return translation.get_supported_language_variant(code)
    except LookupError:
        return settings.LANGUAGE_CODE


def find_language(*, issuer: str, subject: str) -> str:
    """The account's, or the installation's own where it was never here."""
    found = Reader.objects.filter(issuer=issuer, subject=subject).first() if subject else None
    return clean_language(found.language if found else "")


@contextmanager
def speaking_to(*, issuer: str, subject: str) -> Iterator[None]:
    """Everything that is translated inside is in this account's language."""
    with translation.override(find_language(issuer=issuer, subject=subject)):
        yield


def forget(*, issuer: str, subject: str) -> None:
    Reader.objects.filter(issuer=issuer, subject=subject).delete()
