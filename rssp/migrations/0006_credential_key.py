"""No credential is without a key, and the columns that were copied go. A migration of its own, because PostgreSQL
alters no table while its rows wait to be checked."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rssp', '0005_signing_keys'),
    ]

    operations = [
        migrations.AlterField(
            model_name='credential',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credentials', to='rssp.signingkey'),
        ),
        migrations.RemoveField(model_name='credential', name='hsm_key_id'),
        migrations.RemoveField(model_name='credential', name='key_algorithm'),
        migrations.RemoveField(model_name='credential', name='public_key'),
    ]
