"""Requests for credentials."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateway.models.rows import ChangingQuerySet


class CredentialRequest(models.Model):
    """A signer's wish for a new credential, from the approval asked for to the credential made."""

    class State(models.TextChoices):
        AUTHORIZING = "authorizing", _("waiting for approval")
        CREATED = "created", _("created")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.AUTHORIZING)
    certificate_policy = models.CharField(max_length=64)
    key_algorithm = models.CharField(max_length=32)
    approval_secrets = models.TextField(default="", blank=True)
    credential = models.JSONField(null=True)  # the answer, as section 6 of docs/protocols.md shows it
    error_code = models.CharField(max_length=64, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="gateway_credreq_expiry")]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"
