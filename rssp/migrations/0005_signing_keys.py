"""Keys get a table of their own, and every credential's key, resident in the token, is copied there."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


COPY = [
    "INSERT INTO rssp_signingkey"
    " (key_id, key_algorithm, public_key, storage, state, one_time, created, assigned)"
    " SELECT hsm_key_id, key_algorithm, public_key, 'resident', 'assigned', false, created, created"
    " FROM rssp_credential",
    "UPDATE rssp_credential SET key_id ="
    " (SELECT made.id FROM rssp_signingkey AS made WHERE made.key_id = rssp_credential.hsm_key_id)",
]


class Migration(migrations.Migration):

    dependencies = [
        ('rssp', '0004_extensions'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeyEncryptionKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.BinaryField(max_length=16, unique=True)),
                ('state', models.CharField(choices=[('active', 'active'), ('retired', 'retired'), ('destroyed', 'destroyed')], default='active', max_length=16)),
                ('created', models.DateTimeField(default=django.utils.timezone.now)),
                ('retired', models.DateTimeField(blank=True, null=True)),
                ('destroyed', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('state',), name='rssp_kek_one_active')],
            },
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.BinaryField(max_length=16, unique=True)),
                ('key_algorithm', models.CharField(max_length=32)),
                ('public_key', models.BinaryField()),
                ('storage', models.CharField(choices=[('resident', 'in the token'), ('wrapped', 'wrapped by the token')], max_length=16)),
                ('wrapped_key', models.BinaryField(blank=True, null=True)),
                ('binding', models.BinaryField(blank=True, null=True)),
                ('state', models.CharField(choices=[('pooled', 'pooled'), ('assigned', 'assigned'), ('destroyed', 'destroyed')], default='pooled', max_length=16)),
                ('one_time', models.BooleanField(default=False)),
                ('created', models.DateTimeField(default=django.utils.timezone.now)),
                ('assigned', models.DateTimeField(blank=True, null=True)),
                ('destroyed', models.DateTimeField(blank=True, null=True)),
                ('kek', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signing_keys', to='rssp.keyencryptionkey')),
            ],
        ),
        migrations.AddIndex(
            model_name='signingkey',
            index=models.Index(fields=['state', 'key_algorithm'], name='rssp_signing_key_pool'),
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kek', None), ('storage', 'resident'), ('wrapped_key', None)), models.Q(('state', 'destroyed'), ('storage', 'wrapped'), ('wrapped_key', None)), models.Q(('kek__isnull', False), ('storage', 'wrapped'), ('wrapped_key__isnull', False), models.Q(('state', 'destroyed'), _negated=True)), _connector='OR'), name='rssp_signing_key_storage'),
        ),
        migrations.AddField(
            model_name='credential',
            name='key',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credentials', to='rssp.signingkey'),
        ),
        migrations.RunSQL(COPY),
    ]
