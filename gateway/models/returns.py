"""Approvals whose browser comes back to this role, for callers that have no page of their own."""

from django.db import models

from gateway.models.batches import Batch
from gateway.models.jobs import Job


class ApprovalReturn(models.Model):
    """One approval that was asked for, known by the SHA-256 of its ``state``. It is for the approval of this id alone:
    once another is asked for, this one is worth nothing."""

    state = models.CharField(max_length=64, primary_key=True)
    job = models.ForeignKey(Job, models.CASCADE, null=True, related_name="+")
    batch = models.ForeignKey(Batch, models.CASCADE, null=True, related_name="+")
    approval_id = models.UUIDField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="gateway_return_expiry")]

    def __str__(self) -> str:
        return str(self.approval_id)
