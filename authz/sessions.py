"""The session store of this role: rows carry their user, and the cookie's value is kept as a checksum only."""

import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from authz.models import Session


def checksum(session_key: str) -> str:
    """What is kept in place of a session key."""
    return sha256(session_key.encode()).hexdigest()


class SessionStore(DatabaseStore):
    """Django's database store over `Session`."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=checksum(session_key)).exists()

    def _get_session_from_db(self) -> Session | None:
        key = self.session_key
        row = key and Session.objects.filter(session_key=checksum(key), expire_date__gt=timezone.now()).first()
        if row:
            return row
        self._session_key = None
        return None

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return Session(
            session_key=checksum(self._get_or_create_session_key()),  # type: ignore[attr-defined]  # Django has it, its stubs do not
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
            sid=data.get("sid", ""),
            browser_name=data.get("browser_name", ""),
            address=data.get("address"),
            created=datetime.fromtimestamp(data.setdefault("began", time.time()), UTC),
        )

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            Session.objects.filter(session_key=checksum(key)).delete()
