"""Whom this role trusts."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class TrustedList(models.Model):
    """A territory's list (ETSI TS 119 612) as it was imported last. Its anchors hold until its next update is due."""

    territory = models.CharField(max_length=8, unique=True)
    operator = models.CharField(max_length=255)
    sequence_number = models.BigIntegerField()
    issued = models.DateTimeField()
    next_update = models.DateTimeField()
    source = models.CharField(max_length=1024)  # an address, or a file's name
    sha256 = models.CharField(max_length=64)
    signer_sha256 = models.CharField(max_length=64)
    imported_at = models.DateTimeField(default=timezone.now)
    imported_by = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.territory} {self.sequence_number}"


class TrustAnchor(models.Model):
    """A certificate that a signature's chain may end in. Either an operator's own choice, or a trusted list's."""

    class Purpose(models.TextChoices):
        CERTIFICATES = "ca", _("issues certificates")
        TIMESTAMPS = "tsa", _("issues time-stamps")

    fingerprint = models.CharField(_("SHA-256 fingerprint"), max_length=64)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.CERTIFICATES)
    name = models.CharField(max_length=512)
    der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    enabled = models.BooleanField(_("enabled"), default=True)
    note = models.CharField(_("note"), max_length=255, default="", blank=True)
    trusted_list = models.ForeignKey(TrustedList, models.CASCADE, null=True, blank=True, related_name="anchors")
    added_at = models.DateTimeField(default=timezone.now)
    added_by = models.CharField(max_length=255)
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.CharField(max_length=255, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fingerprint", "purpose", "trusted_list"], name="gateway_anchor_listed"),
            models.UniqueConstraint(
                fields=["fingerprint", "purpose"], condition=models.Q(trusted_list=None), name="gateway_anchor_chosen"
            ),
        ]
        indexes = [models.Index(fields=["enabled", "purpose"], name="gateway_anchor_enabled")]

    def __str__(self) -> str:
        return self.name
