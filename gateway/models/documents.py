"""Documents at rest, as the database knows them."""

import uuid

from django.db import models
from django.utils import timezone


class StoredDocument(models.Model):
    """An encrypted file. ``wrapped_key`` is the only key to it: without this row nobody reads the file again.

    ``wrapped_password`` opens the PDF in it, where that takes one; it lives and ends with the file.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wrapped_key = models.TextField()
    wrapped_password = models.TextField(default="", blank=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.id)
