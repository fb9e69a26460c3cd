"""Calls that were accepted and are answered later (CSC API v2, 11.10, mode A)."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AsynchronousCall(models.Model):
    """One accepted ``signatures/signHash``, its result while it is kept, and whether the client was told."""

    class State(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        STARTED = "started", _("started")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Notification(models.TextChoices):
        NONE = "none", _("not wanted")
        DUE = "due", _("due")
        SENT = "sent", _("sent")
        GIVEN_UP = "given up", _("given up")

    response_id = models.CharField(max_length=64, unique=True)
    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    credential_id = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACCEPTED)
    signatures = models.JSONField(default=list)  # hexadecimal
    error = models.JSONField(null=True)  # `rssp.errors.write_error`
    validity = models.DurationField()  # how long the result is kept
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    response_uri = models.CharField(max_length=2000, default="", blank=True)
    notification = models.CharField(max_length=16, choices=Notification.choices, default=Notification.NONE)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["state"], condition=models.Q(state__in=["accepted", "started"]), name="rssp_call_open"
            ),
            models.Index(fields=["next_attempt"], condition=models.Q(notification="due"), name="rssp_call_due"),
            models.Index(fields=["finished"], name="rssp_call_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.response_id[:16]} ({self.state})"
