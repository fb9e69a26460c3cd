"""Several documents that one approval signs."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signapp.models.documents import ChangingQuerySet


class Batch(models.Model):
    """Documents of one person on their way to signatures by one approval. Which they are, and how far, stands with
    each `Document`; one that could not be taken along is `failed` there, and says why."""

    class State(models.TextChoices):
        SENDING = "sending", _("being sent")
        PREPARING = "preparing", _("being prepared")
        PREPARED = "prepared", _("ready to approve")
        APPROVING = "approving", _("waiting for approval")
        SIGNING = "signing", _("being signed")
        ENDED = "ended", _("done")
        FAILED = "failed", _("not signed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    credential_id = models.CharField(max_length=255)
    credential_name = models.CharField(max_length=255, default="", blank=True)
    reason = models.CharField(max_length=255, default="", blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.SENDING)
    gateway_id = models.UUIDField(null=True)  # its batch at the gateway
    # One of this person's pages works on it at a time.
    working_until = models.DateTimeField(null=True)
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["issuer", "subject", "-created"], name="signapp_batch_owner")]
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"

    @property
    def is_open(self) -> bool:
        """Whether its documents are signed with it or not at all."""
        return self.state in OPEN


UNDECIDED = (Batch.State.SENDING, Batch.State.PREPARING, Batch.State.PREPARED, Batch.State.APPROVING)
OPEN = (*UNDECIDED, Batch.State.SIGNING)
