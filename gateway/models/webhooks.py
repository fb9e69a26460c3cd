"""Where clients are told what became of their jobs, and what was sent to them."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateway.models.clients import ClientPolicy
from gateway.models.rows import ChangingQuerySet


class WebhookEndpoint(models.Model):
    """An address of a client's that an operator wrote down. It is told of what the client opened from then on."""

    class Event(models.TextChoices):
        JOB_PREPARED = "job.prepared", _("a job is prepared")
        JOB_SIGNED = "job.signed", _("a job is signed")
        JOB_FAILED = "job.failed", _("a job failed")
        BATCH_PREPARED = "batch.prepared", _("a batch is prepared")
        BATCH_ENDED = "batch.ended", _("a batch has ended")
        BATCH_FAILED = "batch.failed", _("a batch failed")
        ARCHIVE_RENEWED = "archive.renewed", _("an archive was renewed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(ClientPolicy, models.PROTECT, related_name="webhooks", verbose_name=_("client"))
    url = models.CharField(_("address"), max_length=1000)
    events = models.JSONField(_("events"), default=list)
    active = models.BooleanField(_("active"), default=True)
    # Encrypted. The former one signs beside it for a while, so that the receiver can change over.
    secret = models.TextField(editable=False)
    former_secret = models.TextField(default="", blank=True, editable=False)
    former_until = models.DateTimeField(null=True, editable=False)
    # Nothing is sent before: the last call failed.
    quiet_until = models.DateTimeField(_("quiet until"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return str(self.url)


class WebhookDelivery(models.Model):
    """One event for one address, kept with the change that it tells of. Its id is the message's, at each attempt."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries")
    event = models.CharField(max_length=32, choices=WebhookEndpoint.Event.choices)
    body = models.TextField()  # as it is signed and sent
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=255, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="gateway_delivery_due"),
            models.Index(fields=["created_at"], name="gateway_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} ({self.state})"
