from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def describe_signed(apps, schema_editor):
    """What was said of the file is said by the job from now on, whose file may be only a part of it."""
    jobs = apps.get_model("gateway", "Job").objects.using(schema_editor.connection.alias)
    stored = apps.get_model("gateway", "StoredDocument").objects.using(schema_editor.connection.alias)
    of_job = stored.filter(pk=OuterRef("signed_id"))
    jobs.filter(signed__isnull=False).update(
        signed_size=Subquery(of_job.values("size")), signed_sha256=Subquery(of_job.values("sha256"))
    )


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0018_jobs_in_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="signed_size",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="signed_sha256",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.RunPython(describe_signed, migrations.RunPython.noop),
    ]
