"""The audit only grows, in the database too: whatever reaches the table, a row in it is neither changed nor removed.

This guards against mistakes and injected SQL. Who owns the table can drop the triggers; docs/threat-model.md says so.
"""

from django.db import migrations

SQLITE = [
    f"CREATE TRIGGER rssp_audit_no_{act.lower()} BEFORE {act} ON rssp_auditevent "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    for act in ("UPDATE", "DELETE")
]
SQLITE_REVERSE = [f"DROP TRIGGER rssp_audit_no_{act}" for act in ("update", "delete")]

POSTGRESQL = [
    "CREATE FUNCTION rssp_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
    "CREATE TRIGGER rssp_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rssp_auditevent "
    "FOR EACH STATEMENT EXECUTE FUNCTION rssp_audit_refuse()",
]
POSTGRESQL_REVERSE = [
    "DROP TRIGGER rssp_audit_append_only ON rssp_auditevent",
    "DROP FUNCTION rssp_audit_refuse()",
]


def _run(schema_editor, by_vendor):
    for statement in by_vendor[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def forbid(_apps, schema_editor):
    _run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def allow(_apps, schema_editor):
    _run(schema_editor, {"sqlite": SQLITE_REVERSE, "postgresql": POSTGRESQL_REVERSE})


class Migration(migrations.Migration):
    dependencies = [("rssp", "0001_initial")]

    operations = [migrations.RunPython(forbid, allow)]
