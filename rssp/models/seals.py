"""Which client may have which owner's seals made, without a person (CSC API v2, 8.5)."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SealGrant(models.Model):
    """An operator lets a client use an owner's seal credentials; the owner is (issuer, subject), as everywhere."""

    client_id = models.CharField(_("client"), max_length=255)
    issuer = models.CharField(_("issuer"), max_length=255)
    subject = models.CharField(_("owner (userID)"), max_length=255)
    max_signatures = models.PositiveIntegerField(
        _("signatures in one authorisation"), default=100, validators=[MinValueValidator(1)]
    )
    active = models.BooleanField(_("active"), default=True)
    mac = models.CharField(max_length=96, editable=False)  # `services.macs`
    created = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("seal grant")
        verbose_name_plural = _("seal grants")
        constraints = [
            models.UniqueConstraint(fields=["client_id", "issuer", "subject"], name="rssp_seal_grant"),
        ]

    def __str__(self) -> str:
        return f"{self.client_id} seals for {self.subject}"
