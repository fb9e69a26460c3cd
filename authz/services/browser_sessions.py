"""The sessions of a user: which there are, and ending them."""

from django.db import transaction
from django.utils import timezone

from authz.models import Session, User
from authz.services.ended_logins import Frame, end_login, end_logins
from authz.services.events import Kind, Visitor, record_event
from authz.services.tokens import revoke_user_tokens
from authz.sessions import checksum


def list_sessions(*, user: User, current_key: str | None) -> list[tuple[Session, bool]]:
    """Open sessions, newest first, each with whether it is the one asking."""
    current = checksum(current_key or "")
    rows = Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-seen")
    return [(row, row.session_key == current) for row in rows]


def end_session(*, user: User, session_checksum: str, visitor: Visitor) -> None:
    """Another user's session is left alone."""
    row = Session.objects.filter(user=user, session_key=session_checksum).first()
    if row is not None:
        with transaction.atomic():
            row.delete()
            end_login(sid=row.sid)
            record_event(user=user, kind=Kind.SESSION_ENDED, visitor=visitor, detail=row.browser_name)


def log_out_everywhere(*, user: User, visitor: Visitor) -> list[Frame]:
    """`end_all_sessions` at its owner's wish; where this browser has to go itself."""
    with transaction.atomic():
        frames = end_all_sessions(user=user)
        record_event(user=user, kind=Kind.ALL_ENDED, visitor=visitor)
    return frames


def end_all_sessions(*, user: User) -> list[Frame]:
    """Every browser and every client of this user, at once; where a browser that was logged in has to go itself."""
    with transaction.atomic():
        Session.objects.filter(user=user).delete()
        frames = end_logins(user=user)
        revoke_user_tokens(user=user)
    return frames
