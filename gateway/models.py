"""Jobs, the documents they hold, and requests for credentials. A user is (issuer, subject), two strings: no key
leaves this role.

The job row is the truth about a signature under way; task messages only ring its bell.
"""

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def retention_end() -> datetime:
    """When what is made now is purged."""
    end: datetime = timezone.now() + settings.JOB_RETENTION
    return end


class ChangingQuerySet(models.QuerySet[Any]):
    """Rows that change by conditional UPDATE alone: who changed none lost a race."""

    def change(self, **values: Any) -> bool:
        """Whether a row still met the conditions and took the values."""
        return self.update(updated_at=timezone.now(), **values) > 0


class StoredDocument(models.Model):
    """An encrypted file. ``wrapped_key`` is the only key to it: without this row nobody reads the file again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wrapped_key = models.TextField()
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.id)


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
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)

    document_name = models.CharField(max_length=255)
    document_pages = models.PositiveIntegerField()
    document_size = models.BigIntegerField()
    document_sha256 = models.CharField(max_length=64)
    original = models.OneToOneField(StoredDocument, models.SET_NULL, null=True, related_name="+")
    prepared = models.OneToOneField(StoredDocument, models.SET_NULL, null=True, related_name="+")
    signed = models.OneToOneField(StoredDocument, models.SET_NULL, null=True, related_name="+")

    # What prepare decided; all of it is set together.
    credential_id = models.CharField(max_length=255, null=True)
    # The one that the signer chose; of a short-lived one the other was made, for this signature alone.
    chosen_credential_id = models.CharField(max_length=255, default="", blank=True)
    credential_label = models.CharField(max_length=255, default="", blank=True)
    certificate_chain = models.JSONField(default=list)  # base64 DER, the signer's certificate first
    sign_algo = models.CharField(max_length=64, default="", blank=True)
    hash_algorithm_oid = models.CharField(max_length=64, null=True)
    field_name = models.CharField(max_length=64, default="", blank=True)
    signed_attributes = models.BinaryField(null=True)
    reserved_start = models.BigIntegerField(null=True)
    reserved_end = models.BigIntegerField(null=True)
    digest = models.CharField(max_length=128, null=True)  # base64 of the to-be-signed digest

    # The approval asked for last. The secrets (PKCE verifier) are encrypted, and taken once.
    approval_id = models.UUIDField(null=True)
    approval_secrets = models.TextField(default="", blank=True)
    token = models.TextField(default="", blank=True)  # encrypted
    token_expires_at = models.DateTimeField(null=True)

    # The work: a worker holds the job while lease_until lies ahead.
    attempts = models.PositiveIntegerField(default=0)
    lease_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    signature = models.BinaryField(null=True)

    error_code = models.CharField(max_length=64, default="", blank=True)
    error_message = models.CharField(max_length=255, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    objects = ChangingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject", "idempotency_key"], name="gateway_job_idempotency"),
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="gateway_job_work"),
            models.Index(fields=["expires_at"], name="gateway_job_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"


class CredentialRequest(models.Model):
    """A signer's wish for a new credential, from the approval asked for to the credential made."""

    class State(models.TextChoices):
        AUTHORIZING = "authorizing", _("waiting for approval")
        CREATED = "created", _("created")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    state = models.CharField(max_length=16, choices=State.choices, default=State.AUTHORIZING)
    certificate_policy = models.CharField(max_length=64)
    key_algorithm = models.CharField(max_length=32)
    approval_secrets = models.TextField(default="", blank=True)
    credential = models.JSONField(null=True)  # the answer, as section 6 of docs/protocols.md shows it
    error_code = models.CharField(max_length=64, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="gateway_credreq_expiry")]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"


class TrustedList(models.Model):
    """A territory's list (ETSI TS 119 612) as it was imported last. Its anchors hold until its next update is due."""

    territory = models.CharField(max_length=8, unique=True)
    operator = models.CharField(max_length=255)
    sequence_number = models.BigIntegerField()
    issued = models.DateTimeField()
    next_update = models.DateTimeField()
    source = models.CharField(max_length=1024)  # an address, or a file's name
    sha256 = models.CharField(max_length=64)
    signer_sha256 = models.CharField(max_length=64)
    imported_at = models.DateTimeField(default=timezone.now)
    imported_by = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.territory} {self.sequence_number}"


class TrustAnchor(models.Model):
    """A certificate that a signature's chain may end in. Either an operator's own choice, or a trusted list's."""

    class Purpose(models.TextChoices):
        CERTIFICATES = "ca", _("issues certificates")
        TIMESTAMPS = "tsa", _("issues time-stamps")

    fingerprint = models.CharField(_("SHA-256 fingerprint"), max_length=64)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.CERTIFICATES)
    name = models.CharField(max_length=512)
    der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    enabled = models.BooleanField(_("enabled"), default=True)
    note = models.CharField(_("note"), max_length=255, default="", blank=True)
    trusted_list = models.ForeignKey(TrustedList, models.CASCADE, null=True, blank=True, related_name="anchors")
    added_at = models.DateTimeField(default=timezone.now)
    added_by = models.CharField(max_length=255)
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.CharField(max_length=255, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fingerprint", "purpose", "trusted_list"], name="gateway_anchor_listed"),
            models.UniqueConstraint(
                fields=["fingerprint", "purpose"], condition=models.Q(trusted_list=None), name="gateway_anchor_chosen"
            ),
        ]
        indexes = [models.Index(fields=["enabled", "purpose"], name="gateway_anchor_enabled")]

    def __str__(self) -> str:
        return self.name
