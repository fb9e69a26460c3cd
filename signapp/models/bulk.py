"""Sending the same envelope to everybody of a list."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signapp.models.documents import ChangingQuerySet
from signapp.models.envelopes import Envelope, Recipient


class BulkSend(models.Model):
    """A checked list. ``pattern`` is a copy of the draft as it was then, which no account sees; of it a copy is sent to
    each row, whose person takes the place of ``placeholder``."""

    class State(models.TextChoices):
        CHECKED = "checked", _("checked")
        SENDING = "sending", _("being sent")
        DONE = "done", _("done")
        STOPPED = "stopped", _("stopped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    sender_name = models.CharField(max_length=255)
    sender_email = models.CharField(max_length=254)
    pattern = models.ForeignKey(Envelope, models.SET_NULL, null=True, related_name="+")
    placeholder = models.ForeignKey(Recipient, models.SET_NULL, null=True, related_name="+")
    title = models.CharField(max_length=120)
    message = models.TextField(max_length=2000, blank=True, default="")
    due_on = models.DateField(null=True, blank=True)
    may_delegate = models.BooleanField(default=False)
    file_name = models.CharField(max_length=255)
    ignored = models.CharField(max_length=500, blank=True, default="")  # columns of the list that are not used
    state = models.CharField(max_length=16, choices=State.choices, default=State.CHECKED)
    lease_until = models.DateTimeField(null=True)  # some worker is at it
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["issuer", "subject", "-created"], name="signapp_bulk_sender")]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"


class BulkRow(models.Model):
    """A line of the list. It is sent in the transaction that makes its envelope: never twice, whatever is killed."""

    class State(models.TextChoices):
        WAITING = "waiting", _("not sent yet")
        SENT = "sent", _("sent")
        FAILED = "failed", _("not sent")

    bulk = models.ForeignKey(BulkSend, models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    email = models.EmailField()
    title = models.CharField(max_length=120, blank=True, default="")
    message = models.TextField(max_length=2000, blank=True, default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    error_code = models.CharField(max_length=64, blank=True, default="")
    envelope = models.ForeignKey(Envelope, models.SET_NULL, null=True, related_name="+")
    updated = models.DateTimeField(auto_now=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["bulk", "line"], name="signapp_bulk_line")]

    def __str__(self) -> str:
        return f"{self.line} ({self.state})"
