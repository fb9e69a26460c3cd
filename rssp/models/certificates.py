"""Certificates that this role's authority issued, its own among them."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Certificate(models.Model):
    """One certificate. The row is there, with its serial number, before the authority's key is asked: it stays
    ``intended`` when signing failed or its outcome is unknown."""

    class Role(models.TextChoices):
        ROOT = "root", _("root authority")
        ISSUING = "issuing", _("issuing authority")
        SIGNER = "signer", _("signer")

    class State(models.TextChoices):
        INTENDED = "intended", _("intended")
        ISSUED = "issued", _("issued")

    class Status(models.TextChoices):
        VALID = "valid", _("valid")
        SUSPENDED = "suspended", _("suspended")
        REVOKED = "revoked", _("revoked")

    serial_number = models.CharField(max_length=40, unique=True)  # hexadecimal
    role = models.CharField(max_length=16, choices=Role.choices)
    profile = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.INTENDED)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.VALID)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(max_length=64, default="", blank=True)
    issuer = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="issued")
    subject = models.CharField(max_length=512)  # RFC 4514
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    der = models.BinaryField(default=b"")
    hsm_key_id = models.BinaryField(max_length=16, null=True, blank=True)  # of an authority's own key
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Two processes that prepare the authority at once come to the same one.
            models.UniqueConstraint(
                fields=["role"],
                condition=models.Q(role__in=["root", "issuing"], state="issued", status="valid"),
                name="rssp_certificate_authority",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} ({self.serial_number})"
