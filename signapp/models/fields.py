"""Places in an envelope's documents that its signers fill, and what somebody's signature looks like."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signapp.models.documents import StoredFile


class Field(models.Model):
    """A place for one signer. ``left`` to ``top`` are 1/72 inch from the lower left corner of the page as it is shown;
    ``value`` is what the signer has given so far (a date as ISO 8601, ``yes`` where something is ticked or put)."""

    class Kind(models.TextChoices):
        SIGNATURE = "signature", _("Signature")
        INITIALS = "initials", _("Initials")
        NAME = "name", _("Name")
        DATE = "date", _("Date")
        TEXT = "text", _("Text")
        CHECKBOX = "checkbox", _("Checkbox")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    part = models.ForeignKey("signapp.EnvelopeDocument", models.CASCADE, related_name="fields")
    recipient = models.ForeignKey("signapp.Recipient", models.CASCADE, related_name="fields")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    label = models.CharField(max_length=80, blank=True, default="")
    page = models.PositiveIntegerField()
    left = models.FloatField()
    bottom = models.FloatField()
    right = models.FloatField()
    top = models.FloatField()
    is_required = models.BooleanField(default=True)
    value = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["page", "-top", "left", "pk"]  # as one reads

    def __str__(self) -> str:
        return f"{self.id} ({self.kind})"

    @property
    def box(self) -> tuple[float, float, float, float]:
        return (self.left, self.bottom, self.right, self.top)


class Look(models.Model):
    """What somebody's signature or initials look like: a PNG, encrypted as documents are."""

    class Kind(models.TextChoices):
        SIGNATURE = "signature", _("signature")
        INITIALS = "initials", _("initials")

    class Style(models.TextChoices):
        DRAWN = "drawn", _("drawn")
        TYPED = "typed", _("typed")
        UPLOADED = "uploaded", _("uploaded")

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    style = models.CharField(max_length=16, choices=Style.choices)
    picture = models.OneToOneField(StoredFile, models.SET_NULL, null=True, related_name="+")
    updated = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject", "kind"], name="signapp_look_owner")]

    def __str__(self) -> str:
        return f"{self.pk} ({self.kind})"
