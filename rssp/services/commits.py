"""Commits that cost no wait for the disk, where a later commit of the same connection makes them last."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction


@contextmanager
def committed_with_the_next(*, using: str) -> Iterator[None]:
    """A durable transaction: others see it at its end, and it outlives the death of any process but the database's.

    A loss of power may take it away, never a later one without it: both databases write their logs in order, and the
    next ordinary commit waits for all that came before. For what may be forgotten as long as nothing followed from it.
    """
    connection = connections[using]
    # SQLite takes the word between transactions alone, PostgreSQL within one.
    is_sqlite = connection.vendor == "sqlite" and not connection.in_atomic_block
    if is_sqlite:
        _execute(using, "PRAGMA synchronous = NORMAL")
    try:
        with transaction.atomic(using=using, durable=True):
            if connection.vendor == "postgresql":
                _execute(using, "SET LOCAL synchronous_commit = off")
            yield
    finally:
        if is_sqlite:
            _execute(using, "PRAGMA synchronous = FULL")


def _execute(using: str, statement: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
