"""An export in several files: one that is there becomes the first and only one of its own."""

import uuid
from typing import Any

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


def make_first_parts(apps: Any, schema_editor: Any) -> None:
    export, part = apps.get_model("signapp", "Export"), apps.get_model("signapp", "ExportPart")
    for each in export.objects.using(schema_editor.connection.alias).exclude(file=None):
        part.objects.using(schema_editor.connection.alias).create(export=each, number=1, file_id=each.file_id)


class Migration(migrations.Migration):
    dependencies = [("signapp", "0014_readers")]

    operations = [
        migrations.AddField(
            model_name="limits",
            name="export_megabytes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Who has more gets several files. A worker needs as much room beside the documents.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(10),
                    django.core.validators.MaxValueValidator(100000),
                ],
                verbose_name="megabytes in one file of an export",
            ),
        ),
        migrations.AddField(model_name="export", name="attempt", field=models.PositiveIntegerField(default=0)),
        migrations.CreateModel(
            name="ExportPart",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                (
                    "export",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="signapp.export"
                    ),
                ),
                (
                    "file",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="signapp.storedfile"
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [models.UniqueConstraint(fields=("export", "number"), name="signapp_export_part")],
            },
        ),
        migrations.RunPython(make_first_parts, migrations.RunPython.noop),
        migrations.RemoveField(model_name="export", name="file"),
    ]
