"""Direct links of templates."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('signapp', '0015_export_parts'),
    ]

    operations = [
        migrations.CreateModel(
            name='DirectLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('secret', models.CharField(max_length=64, unique=True)),
                ('most_uses', models.PositiveIntegerField()),
                ('created', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('template', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='direct_link', to='signapp.envelope')),
            ],
        ),
        migrations.CreateModel(
            name='DirectLinkUse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('created', models.DateTimeField(default=django.utils.timezone.now)),
                ('envelope', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='signapp.envelope')),
                ('link', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uses', to='signapp.directlink')),
            ],
            options={
                'indexes': [models.Index(fields=['link', 'created'], name='signapp_direct_link_use')],
            },
        ),
    ]
