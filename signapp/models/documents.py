"""The library: documents and their encrypted files. A person is (issuer, subject), two strings."""

import uuid
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class StoredFile(models.Model):
    """An encrypted file. ``wrapped_key`` is the only key to it: without this row nobody reads the file again.

    ``wrapped_password`` opens the PDF in it, where that takes one; it lives and ends with the file.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wrapped_key = models.TextField()
    wrapped_password = models.TextField(default="", blank=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.id)


class ChangingQuerySet(models.QuerySet[Any]):
    """Rows that change by conditional UPDATE alone: who changed none lost a race."""

    def change(self, **values: Any) -> bool:
        """Whether a row still met the conditions and took the values."""
        return self.update(updated=timezone.now(), **values) > 0


class Document(models.Model):
    """One PDF of one person, from upload to signed.

    In an envelope it is the turn of ``recipient`` at ``part``: it has no file of its own to begin with but takes the
    part's current revision, whose facts it then carries.

    What stands from ``credential_id`` to ``idempotency_key`` belongs to the present attempt to sign.
    """

    class State(models.TextChoices):
        READY = "ready", _("to be signed")
        PREPARED = "prepared", _("ready to approve")
        APPROVING = "approving", _("waiting for approval")
        SIGNING = "signing", _("being signed")
        SIGNED = "signed", _("signed")
        FAILED = "failed", _("not signed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    pages = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    signatures = models.PositiveIntegerField(default=0)  # those that were there when it was uploaded
    encryption = models.CharField(max_length=16, default="", blank=True)  # the cipher, such as AES-256
    repairs = models.CharField(max_length=120, default="", blank=True)  # what was changed when it was repaired
    state = models.CharField(max_length=16, choices=State.choices, default=State.READY)
    error_code = models.CharField(max_length=64, default="", blank=True)
    error_message = models.CharField(max_length=255, default="", blank=True)

    credential_id = models.CharField(max_length=255, default="", blank=True)
    credential_name = models.CharField(max_length=255, default="", blank=True)
    fingerprint = models.CharField(max_length=64, default="", blank=True)
    label = models.CharField(max_length=255, default="", blank=True)
    job_id = models.UUIDField(null=True)
    idempotency_key = models.UUIDField(null=True)

    # Signed together with others, in this order.
    batch = models.ForeignKey("signapp.Batch", models.SET_NULL, null=True, related_name="documents")
    batch_position = models.PositiveIntegerField(default=0)

    part = models.ForeignKey("signapp.EnvelopeDocument", models.CASCADE, null=True, related_name="turns")
    recipient = models.ForeignKey("signapp.Recipient", models.CASCADE, null=True, related_name="turns")

    original = models.OneToOneField(StoredFile, models.SET_NULL, null=True, related_name="+")
    signed = models.OneToOneField(StoredFile, models.SET_NULL, null=True, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)
    signed_at = models.DateTimeField(null=True)
    # What the signature is (EN 319 142-1, 6), and until when the file itself shows that it is good.
    signature_level = models.CharField(max_length=8, default="", blank=True)
    lasts_until = models.DateTimeField(null=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["issuer", "subject", "-created"], name="signapp_document_owner")]
        constraints = [models.UniqueConstraint(fields=["part", "recipient"], name="signapp_document_turn")]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"

    @property
    def source(self) -> StoredFile | None:
        """What is signed: the upload, or the last revision of the envelope's document."""
        return self.original if self.part is None else self.part.current
