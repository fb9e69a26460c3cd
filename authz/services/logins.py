"""What a browser's session says about its login. Both factors, verified in this session, or nothing."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.sessions.backends.base import SessionBase

from authz.models import User
from authz.services.accounts import VerifiedLogin
from authz.services.secrets import create_secret

_KEY = "verified_login"
_SEEN = "seen"
_SID = "sid"
# How often, in seconds, a session in use is written so that its list can say when it was last seen.
_SEEN_EVERY = 300


@dataclass(frozen=True)
class Login:
    """The two-factor login that a session stands on."""

    user: User
    auth_time: datetime
    amr: list[str]


_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "Mac",
    "Linux": "Linux",
}


def name_browser(user_agent: str) -> str:
    """A browser as its owner would call it: "Firefox, Linux"; empty where nothing is recognised."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), "")
    return ", ".join(filter(None, (browser, system)))


def record_login(*, session: SessionBase, verified: VerifiedLogin, user_agent: str, address: str) -> None:
    """Called after Django's own login has given the session its new key."""
    read_sid(session=session)
    session["browser_name"], session["address"], session["began"] = name_browser(user_agent), address, time.time()
    session[_KEY] = {"sub": str(verified.user.sub), "time": time.time(), "amr": list(verified.amr)}


def read_login(*, session: SessionBase, user: object) -> Login | None:
    """The login, only if it is this user's and had both factors."""
    kept = session.get(_KEY)
    if not isinstance(user, User) or not user.is_active or not kept or kept["sub"] != str(user.sub):
        return None
    if "mfa" not in kept["amr"]:
        return None
    if time.time() - session.get(_SEEN, 0) > _SEEN_EVERY:
        session[_SEEN] = time.time()
    return Login(user, datetime.fromtimestamp(kept["time"], UTC), kept["amr"])


def read_sid(*, session: SessionBase) -> str:
    """What ID tokens call this session (OpenID Connect Front-Channel Logout 1.0, section 3), made at first use."""
    if _SID not in session:
        session[_SID] = create_secret()
    sid: str = session[_SID]
    return sid


def renew_sid(*, session: SessionBase) -> None:
    """After every login of the person was ended, this session's too, what comes is another one."""
    session[_SID] = create_secret()


def has_two_factors(session: SessionBase, user: User) -> bool:
    """Whether password and passkey were both verified in this session."""
    login = read_login(session=session, user=user)
    return login is not None and "pwd" in login.amr
