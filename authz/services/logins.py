"""What a browser's session says about its login. Both factors, verified in this session, or nothing."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.sessions.backends.base import SessionBase

from authz.models import User
from authz.services.accounts import VerifiedLogin

_KEY = "verified_login"


@dataclass(frozen=True)
class Login:
    """The two-factor login that a session stands on."""

    user: User
    auth_time: datetime
    amr: list[str]


def record_login(*, session: SessionBase, verified: VerifiedLogin) -> None:
    """Called after Django's own login has given the session its new key."""
    session[_KEY] = {"sub": str(verified.user.sub), "time": time.time(), "amr": list(verified.amr)}


def read_login(*, session: SessionBase, user: object) -> Login | None:
    """The login, only if it is this user's and had both factors."""
    kept = session.get(_KEY)
    if not isinstance(user, User) or not user.is_active or not kept or kept["sub"] != str(user.sub):
        return None
    if "mfa" not in kept["amr"]:
        return None
    return Login(user, datetime.fromtimestamp(kept["time"], UTC), kept["amr"])


def has_two_factors(session: SessionBase, user: User) -> bool:
    """Whether password and passkey were both verified in this session."""
    return read_login(session=session, user=user) is not None
