"""Passwords of PDFs, tried by callers: so many wrong ones in so long, and no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone

from gateway.errors import PasswordWrongError, TooManyPasswordsError
from gateway.models import PasswordTry
from gateway.services.callers import VerifiedCaller

_MOST_WRONG = 10
_COUNTED = timedelta(minutes=10)


@contextmanager
def password_try(*, caller: VerifiedCaller, password: str) -> Iterator[None]:
    """Counts the try before it is made, so that many at once are many, and forgets it unless the password was wrong.
    Raises `TooManyPasswordsError`."""
    if not password:
        yield
        return
    own = PasswordTry.objects.filter(issuer=caller.issuer, subject=caller.subject)
    mine = own.create(issuer=caller.issuer, subject=caller.subject)
    if own.filter(tried_at__gt=timezone.now() - _COUNTED).count() > _MOST_WRONG:
        mine.delete()
        raise TooManyPasswordsError
    try:
        yield
    except PasswordWrongError:
        raise
    except BaseException:
        mine.delete()
        raise
    mine.delete()


def forget_old_tries() -> None:
    """Those that are not counted any more."""
    PasswordTry.objects.filter(tried_at__lt=timezone.now() - _COUNTED).delete()
