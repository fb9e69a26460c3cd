"""Credentials for one approval, made of a request that stands."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.activations import Activation
from rssp.models.credentials import Credential
from rssp.models.requests import CertificateRequest


class OneTimeCredential(models.Model):
    """One key, one certificate, one approval. The row is there before the key is, so that those that nobody approved
    can be counted; it changes by conditional UPDATE alone."""

    class End(models.TextChoices):
        USED = "used", _("used")
        EXPIRED = "expired", _("expired")
        WITHDRAWN = "withdrawn", _("withdrawn with what it was made of")

    request = models.ForeignKey(CertificateRequest, models.PROTECT, related_name="one_time_credentials")
    # None while it is being made.
    credential = models.OneToOneField(Credential, models.PROTECT, null=True, related_name="one_time")
    # The one approval that opens it: the first that came.
    activation = models.OneToOneField(Activation, models.PROTECT, null=True, related_name="one_time")
    created = models.DateTimeField(default=timezone.now)
    closed = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=16, choices=End.choices, default="", blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["request", "created"], condition=models.Q(closed=None), name="rssp_one_time_open")
        ]

    def __str__(self) -> str:
        return f"{self.request_id}: {self.end or 'open'}"
