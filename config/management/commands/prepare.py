"""``manage.py prepare``: makes an installation ready to serve, at its first start and at every later one."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

# Any number that nobody else locks in the same PostgreSQL database.
_ADVISORY_LOCK = 7_272_740


class Command(BaseCommand):
    help = (
        "Migrates every database, makes the HSM's token (in development) and the authority's keys, and syncs clients."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        with _alone():
            _keep_roles()
            settings.STATIC_ROOT.mkdir(exist_ok=True)
            for alias in settings.DATABASES:
                _migrate(alias)
            if "rssp" in settings.ROLES:
                if settings.DEVELOPMENT:
                    call_command("prepare_token")
                call_command("prepare_authority")
            if "authz" in settings.ROLES:
                call_command("sync_clients")


@contextmanager
def _alone() -> Iterator[None]:
    """One process of this machine at a time; the others wait."""
    with (settings.VAR_DIR / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keep_roles() -> None:
    """Refuses another division into roles than this folder was made with: Django's own tables would be elsewhere."""
    kept = settings.VAR_DIR / "roles"
    mine = ",".join(settings.ROLES)
    if not kept.exists():
        kept.write_text(f"{mine}\n", encoding="ascii")
    made_with = kept.read_text(encoding="ascii").strip()
    if made_with != mine:
        raise CommandError(
            f"{settings.VAR_DIR} was made with ROLES={made_with} and keeps it; this process has ROLES={mine}. "
            "Give another VAR_DIR, with databases of its own."
        )


def _migrate(alias: str) -> None:
    connection = connections[alias]
    with _advisory_lock(connection) if connection.vendor == "postgresql" else nullcontext():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", database=alias, interactive=False, verbosity=0)


@contextmanager
def _advisory_lock(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Processes of several machines that share a database wait for one another too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])
