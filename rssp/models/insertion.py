"""`bulk_create` without what it costs for a few rows: the statement is written once, and no keys are read back."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections, router
from django.db.models import BinaryField, DateTimeField, Field, Model, UUIDField
from django.db.models.base import ModelState

# What a database adapter does not take as it is; everything else that these models hold is text or a number.
_ADAPTED = (BinaryField, DateTimeField, UUIDField)
_NOTHING = object()
M = TypeVar("M", bound=Model)


def insert_row(row: Model) -> None:
    """One new row, in the caller's transaction, with the key that the database gave it."""
    connection = connections[router.db_for_write(type(row))]
    sql, fields = _insertion(type(row))
    key = row._meta.pk
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {key.column}", _adapt([row], fields, connection)[0])
        row.pk = cursor.fetchone()[0]
    row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001


def make_alike(row: M, changes: Iterable[dict[str, Any]]) -> list[M]:
    """New rows that are as ``row`` but for these attributes, without what making a model costs each time."""
    made = []
    for changed in changes:
        twin = type(row).__new__(type(row))
        twin.__dict__.update(row.__dict__, _state=ModelState(), **changed)
        made.append(twin)
    return made


def insert_rows(rows: Iterable[Model]) -> None:
    """New rows of one model whose key the database numbers, in the caller's transaction. Their keys stay unset."""
    listed = list(rows)
    if not listed:
        return
    model = type(listed[0])
    connection = connections[router.db_for_write(model)]
    sql, fields = _insertion(model)
    parameters = _adapt(listed, fields, connection)
    with connection.cursor() as cursor:
        if len(parameters) == 1:
            cursor.execute(sql, parameters[0])
        else:
            cursor.executemany(sql, parameters)


def _adapt(rows: Sequence[Model], fields: Sequence["Field[Any, Any]"], connection: Any) -> list[list[Any]]:
    adapted = {place: field for place, field in enumerate(fields) if isinstance(field, _ADAPTED)}
    has_relations = any(field.is_relation for field in fields)
    last: dict[int, tuple[Any, Any]] = dict.fromkeys(adapted, (_NOTHING, None))
    parameters = []
    for row in rows:
        if has_relations:
            row._prepare_related_fields_for_save(operation_name="bulk_create")  # type: ignore[attr-defined]  # noqa: SLF001
        values = row.__dict__
        one = [values[field.attname] for field in fields]
        for place, field in adapted.items():
            # Rows of one call share most of these.
            if last[place][0] is not one[place]:
                last[place] = (one[place], field.get_db_prep_save(one[place], connection))
            one[place] = last[place][1]
        parameters.append(one)
    return parameters


@lru_cache(maxsize=64)
def _insertion(model: type[Model]) -> tuple[str, "tuple[Field[Any, Any], ...]"]:
    fields = tuple(field for field in model._meta.local_concrete_fields if not field.primary_key)
    columns = ", ".join(str(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({places})", fields  # noqa: S608  (names of ours)
