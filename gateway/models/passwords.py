"""Passwords of PDFs that were tried."""

from django.db import models
from django.utils import timezone


class PasswordTry(models.Model):
    """That somebody tried one, which was wrong or is being looked at. Nothing of the password itself."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    tried_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["issuer", "subject", "tried_at"], name="gateway_password_tries")]

    def __str__(self) -> str:
        return f"Tried {self.tried_at:%H:%M}"
