"""Removing what nothing can be done with any more."""

from django.utils import timezone

from signapp.documents import remove_stale_files
from signapp.models import Login, Session, UsedLogoutToken
from signapp.services.exports import clear_exports


def clear_expired() -> int:
    """Ended sessions and logins, and halves of files that were never finished. Answers how many."""
    now = timezone.now()
    rows = (
        Session.objects.filter(expire_date__lt=now),
        Login.objects.filter(expires_at__lt=now),
        UsedLogoutToken.objects.filter(expires_at__lt=now),
    )
    return sum(int(found.delete()[0]) for found in rows) + clear_exports() + remove_stale_files()
