from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0003_chosen_credential")]

    operations = [
        migrations.AddField("job", "level", models.CharField(default="B-B", max_length=8)),
        migrations.AddField("job", "best_effort", models.BooleanField(default=False)),
        migrations.AddField("job", "achieved_level", models.CharField(blank=True, default="", max_length=8)),
        migrations.AddField("job", "shortfall", models.CharField(blank=True, default="", max_length=64)),
        migrations.AddField("job", "lasts_until", models.DateTimeField(null=True)),
    ]
