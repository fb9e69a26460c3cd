from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0017_sealed_batches"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="job",
            name="gateway_job_batch",
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["batch", "state", "position"], name="gateway_job_batch"),
        ),
    ]
