"""Signatures under way. The job row is the truth; task messages only ring its bell."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateway.models.batches import Batch
from gateway.models.documents import StoredDocument
from gateway.models.rows import ChangingQuerySet


class Job(models.Model):
    """One document on its way to one signature (docs/protocols.md, section 6)."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        PREPARED = "prepared", _("prepared")
        AUTHORIZING = "authorizing", _("waiting for approval")
        APPROVED = "approved", _("approved")
        SIGNING = "signing", _("signing")
        SIGNED = "signed", _("signed")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    # The client that opened it, at the authorization server.
    client_id = models.CharField(max_length=255, default="", blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)

    # Of a batch the approval is the batch's; the position is the document's place in it.
    batch = models.ForeignKey(Batch, models.PROTECT, null=True, blank=True, related_name="jobs")
    position = models.PositiveIntegerField(default=0)

    document_name = models.CharField(max_length=255)
    document_pages = models.PositiveIntegerField()
    document_size = models.BigIntegerField()
    document_sha256 = models.CharField(max_length=64)
    # Let go of before it is deleted; the database refuses otherwise.
    # What is ``prepared`` or ``signed`` is only what comes behind the original; where that is gone, the whole.
    original = models.OneToOneField(StoredDocument, models.DO_NOTHING, null=True, related_name="+")
    prepared = models.OneToOneField(StoredDocument, models.DO_NOTHING, null=True, related_name="+")
    signed = models.OneToOneField(StoredDocument, models.DO_NOTHING, null=True, related_name="+")

    # What prepare decided; all of it is set together.
    credential_id = models.CharField(max_length=255, null=True)
    # The one that the signer chose; of a short-lived one the other was made, for this signature alone.
    chosen_credential_id = models.CharField(max_length=255, default="", blank=True)
    credential_label = models.CharField(max_length=255, default="", blank=True)
    certificate_chain = models.JSONField(default=list)  # base64 DER, the signer's certificate first
    sign_algo = models.CharField(max_length=64, default="", blank=True)
    hash_algorithm_oid = models.CharField(max_length=64, null=True)
    # The level asked for (EN 319 142-1, 6), and whether a lower one will do where that cannot be reached.
    level = models.CharField(max_length=8, default="B-B")
    best_effort = models.BooleanField(default=False)
    # What the signature of this document alone says, in the place of its batch's options.
    own_options = models.JSONField(null=True, blank=True)
    field_name = models.CharField(max_length=64, default="", blank=True)
    signed_attributes = models.BinaryField(null=True)
    reserved_start = models.BigIntegerField(null=True)
    reserved_end = models.BigIntegerField(null=True)
    digest = models.CharField(max_length=128, null=True)  # base64 of the to-be-signed digest

    # The approval asked for last. The secrets (PKCE verifier) are encrypted, and taken once.
    approval_id = models.UUIDField(null=True)
    approval_secrets = models.TextField(default="", blank=True)
    token = models.TextField(default="", blank=True)  # encrypted
    # Of a seal: what the signing service opened for this client, beside the client's own token. Encrypted.
    sad = models.TextField(default="", blank=True)
    token_expires_at = models.DateTimeField(null=True)

    # The work: a worker holds the job while lease_until lies ahead.
    attempts = models.PositiveIntegerField(default=0)
    lease_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    # The error of whoever did not do their part yet, while the job waits for them.
    waits_for = models.CharField(max_length=64, default="", blank=True)
    signature = models.BinaryField(null=True)

    # What became of it, the whole file: the level reached, why it is a lower one, and when the last proof ends.
    signed_size = models.BigIntegerField(null=True)
    signed_sha256 = models.CharField(max_length=64, default="", blank=True)
    achieved_level = models.CharField(max_length=8, default="", blank=True)
    shortfall = models.CharField(max_length=64, default="", blank=True)
    lasts_until = models.DateTimeField(null=True)

    error_code = models.CharField(max_length=64, default="", blank=True)
    error_message = models.CharField(max_length=255, default="", blank=True)
    # The state that the client was told of last; null where nobody is told (services/announcing.py).
    announced = models.CharField(max_length=16, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    objects = ChangingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "client_id", "subject", "idempotency_key"], name="gateway_job_idempotency"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="gateway_job_work"),
            models.Index(fields=["expires_at"], name="gateway_job_expiry"),
            models.Index(fields=["batch", "state", "position"], name="gateway_job_batch"),
            # What a caller keeps here is summed up from it with each upload.
            models.Index(fields=["issuer", "subject", "state", "document_size"], name="gateway_job_owner"),
            models.Index(fields=["state"], condition=models.Q(announced__isnull=False), name="gateway_job_announced"),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"
