"""``manage.py migrate``: Django's, without working through the history of other databases.

Django runs every app's migrations against every database. Those of apps whose tables lie elsewhere change nothing there
(`config.roles.RoleRouter`), yet each is rendered, which is four fifths of the work of a first start.
"""

from typing import Any

from django.core.management.commands import migrate
from django.core.management.sql import emit_pre_migrate_signal
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor

_ASKED_FOR_LESS = ("app_label", "check_unapplied", "fake", "fake_initial", "plan", "prune")


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Leaves the database, and what it records, as Django's would."""
        if not any(options[name] for name in _ASKED_FOR_LESS):
            _migrate_kept(alias=options["database"], verbosity=options["verbosity"])
        # Nothing is left for it but to look whether the history holds, and to tell whoever waits for the end.
        super().handle(*args, **options)


def _migrate_kept(*, alias: str, verbosity: int) -> None:
    """Migrates the apps that have their tables in this database, and records the others' migrations as done."""
    executor = MigrationExecutor(connections[alias])
    executor.loader.check_consistent_history(connections[alias])
    leaves = executor.loader.graph.leaf_nodes()
    if not executor.migration_plan(leaves):
        return
    kept = [leaf for leaf in leaves if router.allow_migrate(alias, leaf[0])]
    # Whoever renames a model has its row of django_content_type renamed by this.
    emit_pre_migrate_signal(verbosity, False, alias, plan=executor.migration_plan(kept))
    executor.migrate(kept)
    executor.loader.build_graph()
    for migration, _backwards in executor.migration_plan(leaves):
        executor.recorder.record_applied(migration.app_label, migration.name)
