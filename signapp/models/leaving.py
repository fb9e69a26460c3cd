"""Taking one's things along, and going."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signapp.models.documents import StoredFile


class Export(models.Model):
    """One account's things as ZIP files: asked for, made by a worker, there for some days. One at most for each
    account."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        BUILDING = "building", _("being made")
        READY = "ready", _("ready")
        FAILED = "failed", _("not made")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    email = models.CharField(max_length=254)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    done = models.PositiveIntegerField(default=0)  # files, of ``total``
    total = models.PositiveIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)  # each worker's own: one that was overtaken adds nothing more
    error_code = models.CharField(max_length=64, default="", blank=True)
    created = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)  # a worker that is not heard of until then has died
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="signapp_export_account")]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"


class ExportPart(models.Model):
    """One of an export's files, from ``number`` 1 on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    export = models.ForeignKey(Export, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    file = models.OneToOneField(StoredFile, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="signapp_export_part")]

    def __str__(self) -> str:
        return f"{self.export_id}, {self.number}"


class Departure(models.Model):
    """This account is to be deleted at ``due_at``, unless its owner thinks better of it."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    email = models.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(db_index=True)
    told_at = models.DateTimeField(null=True)  # of the day, by mail

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="signapp_departure_account")]

    def __str__(self) -> str:
        return str(self.pk)
