"""Asking for the approval of a change of passkeys."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PasskeyChange(models.Model):
    """A signer's wish to let another passkey sign with a credential, or to stop one. Which one stands in the approval
    alone."""

    class State(models.TextChoices):
        AUTHORIZING = "authorizing", _("waiting for approval")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.AUTHORIZING)
    credential_id = models.CharField(max_length=255)
    credential_label = models.CharField(max_length=255, default="", blank=True)
    action = models.CharField(max_length=16)
    approval_secrets = models.TextField(default="", blank=True)
    passkeys = models.JSONField(null=True)  # the answer, as section 6 of docs/protocols.md shows it
    error_code = models.CharField(max_length=64, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="gateway_passkey_expiry")]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"
