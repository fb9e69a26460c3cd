"""A role's certificates have generations, and a certificate names its key."""

import hashlib

import django.db.models.deletion
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import migrations, models


def number(apps, schema_editor):
    Certificate = apps.get_model("rssp", "Certificate")
    rows = Certificate.objects.using(schema_editor.connection.alias)
    for role in ("root", "issuing"):
        for index, row in enumerate(rows.filter(role=role, state="issued").order_by("pk"), start=1):
            rows.filter(pk=row.pk).update(generation=index)
    for row in rows.filter(state="issued"):
        key = x509.load_der_x509_certificate(bytes(row.der)).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        rows.filter(pk=row.pk).update(public_key_sha256=hashlib.sha256(spki).hexdigest())


class Migration(migrations.Migration):
    dependencies = [("rssp", "0007_explicit")]

    operations = [
        migrations.RemoveConstraint(model_name="certificate", name="rssp_certificate_authority"),
        migrations.AddField("certificate", "generation", models.PositiveSmallIntegerField(default=1)),
        migrations.AddField(
            "certificate", "public_key_sha256", models.CharField(blank=True, default="", max_length=64)
        ),
        migrations.AddField(
            "certificate",
            "renews",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="renewals",
                to="rssp.certificate",
            ),
        ),
        migrations.AlterField("certificate", "subject", models.CharField(max_length=1024)),
        migrations.AlterField(
            "certificate",
            "role",
            models.CharField(
                choices=[
                    ("root", "root authority"),
                    ("issuing", "issuing authority"),
                    ("tsa", "time-stamping unit"),
                    ("ocsp", "OCSP responder"),
                    ("signer", "signer"),
                    ("seal", "electronic seal"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunPython(number, migrations.RunPython.noop),
        migrations.AddConstraint(
            "certificate",
            models.UniqueConstraint(
                condition=models.Q(("role__in", ["root", "issuing", "tsa", "ocsp"]), ("state", "issued")),
                fields=("role", "generation"),
                name="rssp_certificate_generation",
            ),
        ),
        migrations.AddConstraint(
            "certificate",
            models.UniqueConstraint(
                condition=models.Q(("renews", None), ("state", "issued"), models.Q(("public_key_sha256", ""), _negated=True)),
                fields=("public_key_sha256",),
                name="rssp_certificate_key",
            ),
        ),
    ]
