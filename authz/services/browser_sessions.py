"""The sessions of a user: which there are, and ending them."""

from django.db import transaction
from django.utils import timezone

from authz.models import Session, User
from authz.services.tokens import revoke_user_tokens
from authz.sessions import checksum


def list_sessions(*, user: User, current_key: str | None) -> list[tuple[Session, bool]]:
    """Open sessions, newest first, each with whether it is the one asking."""
    current = checksum(current_key or "")
    rows = Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-seen")
    return [(row, row.session_key == current) for row in rows]


def end_session(*, user: User, session_checksum: str) -> None:
    """Another user's session is left alone."""
    Session.objects.filter(user=user, session_key=session_checksum).delete()


def end_all_sessions(*, user: User) -> None:
    """Every browser and every client of this user, at once."""
    with transaction.atomic():
        Session.objects.filter(user=user).delete()
        revoke_user_tokens(user=user)
