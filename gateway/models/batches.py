"""Several documents on their way to signatures by one approval."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateway.models.rows import ChangingQuerySet


class Batch(models.Model):
    """Jobs that one approval and one token are for. The jobs' rows say how far each document is; this one holds what
    they share, and where the whole stands."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        PREPARING = "preparing", _("preparing")
        PREPARED = "prepared", _("prepared")
        AUTHORIZING = "authorizing", _("waiting for approval")
        APPROVED = "approved", _("approved")
        ENDED = "ended", _("ended")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    class Policy(models.TextChoices):
        """What becomes of the others when one document cannot be signed."""

        ALL_OR_NOTHING = "all_or_nothing", _("all or none")
        BEST_EFFORT = "best_effort", _("each for itself")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    policy = models.CharField(max_length=16, choices=Policy.choices)

    # What prepare decided, for every job.
    credential_id = models.CharField(max_length=255, default="", blank=True)
    credential_label = models.CharField(max_length=255, default="", blank=True)
    certificate_chain = models.JSONField(default=list)  # base64 DER, the signer's certificate first
    sign_algo = models.CharField(max_length=64, default="", blank=True)
    hash_algorithm_oid = models.CharField(max_length=64, default="", blank=True)
    level = models.CharField(max_length=8, default="B-B")
    level_best_effort = models.BooleanField(default=False)
    options = models.JSONField(default=dict)  # reason, location

    # The approval asked for last, as in a job.
    approval_id = models.UUIDField(null=True)
    approval_secrets = models.TextField(default="", blank=True)
    token = models.TextField(default="", blank=True)  # encrypted
    sad = models.TextField(default="", blank=True)  # of seals, encrypted
    token_expires_at = models.DateTimeField(null=True)

    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=64, default="", blank=True)
    error_message = models.CharField(max_length=255, default="", blank=True)
    client_id = models.CharField(max_length=255, default="", blank=True)
    # The state that the client was told of last; null where nobody is told (services/announcing.py).
    announced = models.CharField(max_length=16, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["state", "updated_at"], name="gateway_batch_work")]
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"
