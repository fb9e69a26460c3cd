"""What rows of several kinds share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connections, models, router
from django.utils import timezone


def retention_end() -> datetime:
    """When what is made now is purged."""
    end: datetime = timezone.now() + settings.JOB_RETENTION
    return end


class ChangingQuerySet(models.QuerySet[Any]):
    """Rows that change by conditional UPDATE alone: who changed none lost a race."""

    def change(self, **values: Any) -> bool:
        """Whether a row still met the conditions and took the values."""
        return self.update(updated_at=timezone.now(), **values) > 0


def update_rows(model: type[models.Model], changes: Mapping[Any, Mapping[str, Any]]) -> None:
    """Rows by their primary key, each with values of its own for the same fields, in the caller's transaction: one
    statement, executed for each. `bulk_update` writes out a condition for each value of each row instead, and takes
    longer to compose than the database to do it."""
    if not changes:
        return
    connection = connections[router.db_for_write(model)]
    names = next(iter(changes.values())).keys()
    meta: Any = model._meta
    fields = {name: meta.get_field(name) for name in names}
    places = ", ".join(f"{field.column} = %s" for field in fields.values())
    sql = f"UPDATE {meta.db_table} SET {places} WHERE {meta.pk.column} = %s"  # noqa: S608  (names of ours)
    parameters = []
    adapted: dict[tuple[str, int], Any] = {}  # rows of one call share most values
    for key, values in changes.items():
        for name, value in values.items():
            if (name, id(value)) not in adapted:
                adapted[name, id(value)] = fields[name].get_db_prep_save(value, connection)
        one = [adapted[name, id(values[name])] for name in fields]
        parameters.append([*one, meta.pk.get_db_prep_save(key, connection)])
    with connection.cursor() as cursor:
        cursor.executemany(sql, parameters)
