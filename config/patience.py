"""How long whoever asks a web process waits for a statement; migrations and workers may take longer."""

from django.conf import settings
from django.db import connections


def bound_statements() -> None:
    """Has PostgreSQL end each statement of this process's later connections that takes longer."""
    for described in connections.settings.values():
        if described["ENGINE"] == "django.db.backends.postgresql":
            described["OPTIONS"]["options"] += f" -c statement_timeout={settings.DATABASE_PATIENCE_SECONDS}s"
