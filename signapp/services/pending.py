"""What was begun in this browser and comes back by a redirect: logins and approvals, kept in its session by ``state``.

The key is the state's checksum, so finding it compares no secret; several tabs may each have begun something.
"""

import hashlib
import time
from typing import Any

from django.contrib.sessions.backends.base import SessionBase

LOGIN = "pending_logins"
APPROVAL = "pending_approvals"
IDENTITY = "pending_identities"
_MOST = 20


def _key(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def remember(*, session: SessionBase, kind: str, state: str, seconds: int, **what: Any) -> None:
    """The oldest make room."""
    now = time.time()
    kept = {key: entry for key, entry in session.get(kind, {}).items() if entry["until"] > now}
    newest = sorted(kept.items(), key=lambda item: float(item[1]["until"]))[-_MOST + 1 :]
    session[kind] = {**dict(newest), _key(state): {**what, "until": now + seconds}}


def find(*, session: SessionBase, kind: str, state: str) -> dict[str, Any] | None:
    """What was remembered under this state in this browser, unless it is too old."""
    entry: dict[str, Any] | None = session.get(kind, {}).get(_key(state))
    return entry if entry is not None and entry["until"] > time.time() else None


def take(*, session: SessionBase, kind: str, state: str) -> dict[str, Any] | None:
    """Likewise, and it is forgotten."""
    entry = find(session=session, kind=kind, state=state)
    session[kind] = {key: value for key, value in session.get(kind, {}).items() if key != _key(state)}
    return entry


def change(*, session: SessionBase, kind: str, state: str, **what: Any) -> None:
    """Writes something into what was remembered."""
    entries = dict(session.get(kind, {}))
    entries[_key(state)] = {**entries[_key(state)], **what}
    session[kind] = entries
