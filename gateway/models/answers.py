"""Answers that are given again."""

from django.db import models

from gateway.models.rows import ChangingQuerySet


class KeptAnswer(models.Model):
    """What a call with an ``Idempotency-Key`` was answered. Without a status it is being made, by whoever holds the
    lease."""

    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)  # SHA-256 of method, address and body
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(default="", blank=True)  # encrypted
    lease_until = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    objects = ChangingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "client_id", "subject", "key"], name="gateway_kept_answer"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="gateway_answer_expiry")]

    def __str__(self) -> str:
        return f"{self.client_id}: {self.key}"
