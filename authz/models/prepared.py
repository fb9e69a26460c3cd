"""Statements that are written once: most of what a query costs is the ORM composing the same text for each call.

`Prepared` has Django compose a queryset once for each database and keeps the text, so that it means what the queryset
means, on every database. Its rows become models without signals and `__init__`, which these models have no use for.

>>> by_name = Prepared(lambda name: Session.objects.filter(name=name).select_related("user"), str)
>>> by_name.first("a name")
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connections, router
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)
_NUMBER = 0x5EED_0000_0000_0001


@dataclass(frozen=True)
class _Part:
    """The columns of one model in a row, and the models that are joined to it; ``key`` is empty in a row that has none
    of it."""

    model: type[Model]
    columns: slice
    names: tuple[str, ...]
    key: int
    set_here: Callable[[Any, Any], None] | None
    set_there: Callable[[Any, Any], None] | None
    joined: tuple["_Part", ...]


@dataclass(frozen=True)
class _Statement:
    """``arguments`` are (place among the parameters, number of the argument)."""

    sql: str
    parameters: tuple[Any, ...]
    arguments: tuple[tuple[int, int], ...]
    converters: tuple[tuple[int, Callable[..., Any], Any], ...]
    part: _Part
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
        found = []
        for row in map(list, rows):
            for place, convert, expression in statement.converters:
                row[place] = convert(row[place], expression, connection)
            model = _read(statement.part, row, alias)
            for name, place in statement.annotations:
                setattr(model, name, row[place])
            found.append(model)
        return found

    def first(self, *arguments: str | int) -> M | None:
        """Of a queryset that has one row at most."""
        return next(iter(self.all(*arguments)), None)

    def _compose(self, alias: str) -> _Statement:
        compiler = self._build(*self._stand_ins).using(alias).query.get_compiler(using=alias)
        sql, parameters = compiler.as_sql()
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
                (place, convert, expression)
                for place, (functions, expression) in converters.items()
                for convert in functions
            ),
            part=_describe(compiler.klass_info, compiler.select),
            annotations=tuple((compiler.annotation_col_map or {}).items()),
        )


def _describe(described: Any, selected: Sequence[Any]) -> _Part:
    """From the compiler's own description of what it selects."""
    places, model = described["select_fields"], described["model"]
    columns = slice(places[0], places[-1] + 1)
    names = tuple(item[0].target.attname for item in selected[columns])
    return _Part(
        model=model,
        columns=columns,
        names=names,
        key=places[0] + names.index(model._meta.pk.attname),
        set_here=described.get("local_setter"),
        set_there=described.get("remote_setter"),
        joined=tuple(_describe(item, selected) for item in described.get("related_klass_infos", ())),
    )


def _read(part: _Part, row: list[Any], alias: str) -> Any:
    model = part.model.__new__(part.model)
    state = model.__dict__["_state"] = ModelState()
    state.adding, state.db = False, alias
    model.__dict__.update(zip(part.names, row[part.columns], strict=True))
    for joined in part.joined:
        other = None if row[joined.key] is None else _read(joined, row, alias)
        if joined.set_here is not None:
            joined.set_here(model, other)
        if other is not None and joined.set_there is not None:
            joined.set_there(other, model)
    return model
