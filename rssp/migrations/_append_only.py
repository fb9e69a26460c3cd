"""Tables that only grow, in the database too: whatever reaches such a table, a row in it is neither changed nor removed.

This guards against mistakes and injected SQL. Who owns the table can drop the triggers; docs/threat-model.md says so.
"""

from django.db import migrations


def sqlite(table):
    return [
        f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for act in ("UPDATE", "DELETE")
    ]


def sqlite_reverse(table):
    return [f"DROP TRIGGER {table}_no_{act}" for act in ("update", "delete")]


def postgresql(table):
    return [
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
    ]


def postgresql_reverse(table):
    return [f"DROP TRIGGER {table}_append_only ON {table}", f"DROP FUNCTION {table}_refuse()"]


def append_only(table):
    """The operation that closes ``table``, and opens it again on the way back."""

    def run(schema_editor, statements):
        for statement in statements[schema_editor.connection.vendor](table):
            schema_editor.execute(statement)

    def forbid(_apps, schema_editor):
        run(schema_editor, {"sqlite": sqlite, "postgresql": postgresql})

    def allow(_apps, schema_editor):
        run(schema_editor, {"sqlite": sqlite_reverse, "postgresql": postgresql_reverse})

    return migrations.RunPython(forbid, allow)
