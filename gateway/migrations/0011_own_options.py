from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0010_clients")]

    operations = [
        migrations.AddField("job", "own_options", models.JSONField(blank=True, null=True)),
    ]
