from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signapp", "0001_initial")]

    operations = [
        migrations.AddField("document", "signature_level", models.CharField(blank=True, default="", max_length=8)),
        migrations.AddField("document", "lasts_until", models.DateTimeField(null=True)),
    ]
