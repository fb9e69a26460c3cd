"""Answers of the operators' API that are given again."""

from django.db import models


class KeptAnswer(models.Model):
    """What a call with an ``Idempotency-Key`` was answered. Without a status it is being made, by whoever holds the
    lease."""

    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=96)  # a code over address and body (services/macs.py): a body may hold a PIN
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(default=dict, blank=True)
    lease_until = models.DateTimeField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "client_id", "subject", "key"], name="rssp_kept_answer"),
        ]

    def __str__(self) -> str:
        return f"{self.client_id}: {self.key}"
