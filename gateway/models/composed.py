"""Statements that are written once: most of what a small query costs is the ORM composing the same text again."""

from collections.abc import Callable
from typing import Any

from django.db import connections, router
from django.db.models import Model, QuerySet


class Composed:
    """The rows of a queryset of ``values_list``, of columns that need no conversion. Django composes it once for each
    database. ``build`` makes it from so many strings as ``arguments`` says; it is called with stand-ins, and what it
    makes must not depend on them but as parameters.

    >>> sizes = Composed(Job, lambda subject: Job.objects.filter(subject=subject).values_list("document_size"), 1)
    >>> sizes.rows("alice")
    """

    def __init__(self, model: type[Model], build: Callable[..., QuerySet[Any, Any]], arguments: int) -> None:
        self._model, self._build = model, build
        self._stand_ins = [f"\ue000{number}" for number in range(arguments)]
        self._composed: dict[tuple[str, str], tuple[str, list[Any]]] = {}

    def rows(self, *arguments: str) -> list[tuple[Any, ...]]:
        """As the database has them now."""
        alias = router.db_for_read(self._model)
        connection = connections[alias]
        composed = self._composed.get((alias, connection.vendor))
        if composed is None:
            compiler = self._build(*self._stand_ins).using(alias).query.get_compiler(using=alias)
            sql, parameters = compiler.as_sql()
            composed = self._composed[alias, connection.vendor] = (sql, list(parameters))
        given = dict(zip(self._stand_ins, arguments, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(composed[0], [given.get(each, each) for each in composed[1]])
            return list(cursor.fetchall())
