"""Statements that are written once: most of what a query costs is the ORM composing the same text for each call.

`Prepared` has Django compose a queryset once for each database and keeps the text, so that it means what the queryset
means, on every database.

>>> by_name = Prepared(lambda name: Session.objects.filter(name=name).select_related("user"), str)
>>> by_name.first("a name")
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connections, router
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)
_NUMBER = 0x5EED_0000_0000_0001


@dataclass(frozen=True)
class _Statement:
    """``arguments`` are (place among the parameters, number of the argument), ``own`` the model's own columns."""

    sql: str
    parameters: tuple[Any, ...]
    arguments: tuple[tuple[int, int], ...]
    converters: tuple[tuple[int, Callable[[Any], Any]], ...]
    own: slice
    names: list[str]
    populators: Sequence[Any]
    annotations: tuple[tuple[str, int], ...]


class Prepared(Generic[M]):
    """``build`` makes the queryset from arguments of ``kinds``, each `str` or `int`. It is called with stand-ins, and
    what it makes must not depend on them but as parameters."""

    def __init__(self, build: Callable[..., QuerySet[M]], *kinds: type) -> None:
        self._build = build
        self._stand_ins: tuple[str | int, ...] = tuple(
            _NUMBER + number if kind is int else f"\ue000{number}" for number, kind in enumerate(kinds)
        )
        self._model = build(*self._stand_ins).model
        self._statements: dict[tuple[str, str], _Statement] = {}

    def all(self, *arguments: str | int) -> list[M]:
        """Every row, as a fresh model."""
        alias = router.db_for_read(self._model)
        connection = connections[alias]
        statement = self._statements.get((alias, connection.vendor))
        if statement is None:
            statement = self._statements[alias, connection.vendor] = self._compose(alias)
        parameters = list(statement.parameters)
        for place, number in statement.arguments:
            parameters[place] = arguments[number]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            rows = cursor.fetchall()
        return [self._read(alias, statement, list(row)) for row in rows]

    def first(self, *arguments: str | int) -> M | None:
        """Of a queryset that has one row at most."""
        return next(iter(self.all(*arguments)), None)

    def _compose(self, alias: str) -> _Statement:
        compiler = self._build(*self._stand_ins).using(alias).query.get_compiler(using=alias)
        sql, parameters = compiler.as_sql()
        # The same steps as Django's ModelIterable takes for each execution.
        described: Any = compiler.klass_info
        selected = described["select_fields"]
        own = slice(selected[0], selected[-1] + 1)
        converters = compiler.get_converters([item[0] for item in compiler.select])
        return _Statement(
            sql=sql,
            parameters=tuple(parameters),
            arguments=tuple(
                (place, self._stand_ins.index(value))
                for place, value in enumerate(parameters)
                if value in self._stand_ins
            ),
            converters=tuple(
                (place, _bind(function, expression, alias))
                for place, (functions, expression) in converters.items()
                for function in functions
            ),
            own=own,
            names=[item[0].target.attname for item in compiler.select[own]],
            populators=get_related_populators(described, compiler.select, alias),  # type: ignore[call-arg]  # stubs are ahead
            annotations=tuple((compiler.annotation_col_map or {}).items()),
        )

    def _read(self, alias: str, statement: _Statement, row: list[Any]) -> M:
        for place, convert in statement.converters:
            row[place] = convert(row[place])
        found = self._model.from_db(alias, statement.names, row[statement.own])
        for populator in statement.populators:
            populator.populate(row, found)
        for name, place in statement.annotations:
            setattr(found, name, row[place])
        return found


def _bind(function: Callable[..., Any], expression: Any, alias: str) -> Callable[[Any], Any]:
    return lambda value: function(value, expression, connections[alias])
