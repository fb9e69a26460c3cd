"""Envelopes: several documents that several people sign, in an order, and what is written down of it.

Where a person's own upload is a `Document` alone, an envelope has one `Document` for each signer and each of its PDFs:
that signer's turn at it (docs/decisions/0017-envelopes.md).
"""

import uuid
from typing import Any, NoReturn

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signapp.models.documents import ChangingQuerySet, StoredFile

MOST_GROUPS = 20
MOST_ATTEMPTS = 8  # at sending one message


class Envelope(models.Model):
    """What one person sends. Its documents and people are fixed once it is sent. A template is one that never is: its
    recipients are roles, without addresses."""

    class State(models.TextChoices):
        TEMPLATE = "template", _("template")
        DRAFT = "draft", _("draft")
        SENT = "sent", _("under way")
        COMPLETED = "completed", _("completed")
        DECLINED = "declined", _("declined")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    sender_name = models.CharField(max_length=255)
    sender_email = models.CharField(max_length=254)
    title = models.CharField(max_length=120)
    message = models.TextField(max_length=2000, blank=True, default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAFT)
    due_on = models.DateField(null=True, blank=True)
    may_delegate = models.BooleanField(default=False)  # whether a place may be handed to another address
    expires_at = models.DateTimeField(null=True)  # set when it is sent
    reason = models.CharField(max_length=500, blank=True, default="")  # why it was declined or cancelled
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)  # everybody who has it was told then that it will be deleted

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["issuer", "subject", "-created"], name="signapp_envelope_sender"),
            models.Index(fields=["state", "expires_at"], name="signapp_envelope_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"


class EnvelopeDocument(models.Model):
    """One PDF of an envelope. ``current`` is its last signed revision, and the lease says whose turn takes it now:
    two signers never sign over the same revision."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    envelope = models.ForeignKey(Envelope, models.CASCADE, related_name="documents")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    pages = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    signatures = models.PositiveIntegerField(default=0)
    encryption = models.CharField(max_length=16, default="", blank=True)
    repairs = models.CharField(max_length=120, default="", blank=True)
    page_sizes = models.JSONField(default=list)  # runs of (width, height, how many), as shown, in 1/72 inch
    original = models.ForeignKey(StoredFile, models.SET_NULL, null=True, related_name="+")  # copies share it
    current = models.ForeignKey(StoredFile, models.SET_NULL, null=True, related_name="+")
    holder = models.ForeignKey("signapp.Document", models.SET_NULL, null=True, related_name="+")
    lease_until = models.DateTimeField(null=True)
    is_committed = models.BooleanField(default=False)  # the holder's approval was handed on: nobody takes the lease

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["envelope", "position"], name="signapp_document_position")]

    def __str__(self) -> str:
        return str(self.id)


class Recipient(models.Model):
    """Somebody whom an envelope goes to. (``issuer``, ``subject``) is the account that took the invitation up."""

    class Role(models.TextChoices):
        SIGNER = "signer", _("Signs")
        APPROVER = "approver", _("Approves")
        COPY = "copy", _("Gets a copy")

    class State(models.TextChoices):
        WAITING = "waiting", _("not yet asked")
        ACTIVE = "active", _("asked")
        DONE = "done", _("done")
        DECLINED = "declined", _("declined")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    envelope = models.ForeignKey(Envelope, models.CASCADE, related_name="recipients")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.SIGNER)
    # Everybody of one number is asked together, after all lower numbers are done.
    order = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_GROUPS)]
    )
    name = models.CharField(max_length=120)
    email = models.EmailField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    issuer = models.CharField(max_length=255, blank=True, default="")
    subject = models.CharField(max_length=255, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)
    asked_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    acted_at = models.DateTimeField(null=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        ordering = ["order", "created"]
        indexes = [models.Index(fields=["issuer", "subject"], name="signapp_recipient_account")]

    def __str__(self) -> str:
        return str(self.id)


class Invitation(models.Model):
    """A mailed link for one recipient and nothing else. Only the secret's checksum is kept."""

    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="invitations")
    checksum = models.CharField(max_length=64, unique=True)
    email = models.EmailField(default="", blank=True)  # where it was mailed: the place may be another's since
    created = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)  # a later link took its place

    def __str__(self) -> str:
        return str(self.pk)


class Notice(models.Model):
    """A message that is to be sent, or was: to a recipient, or to the sender where there is none."""

    class Kind(models.TextChoices):
        INVITATION = "invitation", _("invitation")
        REMINDER = "reminder", _("reminder")
        COMPLETED = "completed", _("completed")
        DECLINED = "declined", _("declined")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")
        DELEGATED = "delegated", _("handed over")
        DELETION = "deletion", _("will be deleted")

    envelope = models.ForeignKey(Envelope, models.CASCADE, related_name="notices")
    recipient = models.ForeignKey(Recipient, models.CASCADE, null=True, related_name="notices")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    created = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.pk} ({self.kind})"


class EventQuerySet(models.QuerySet[Any]):
    """Rows that are added and read; they go with their envelope alone."""

    def update(self, **values: Any) -> NoReturn:
        raise TypeError("the trail of an envelope is not changed")


class Event(models.Model):
    """One line of an envelope's trail. ``actor`` is a name as it was known then; empty for the clock."""

    class Kind(models.TextChoices):
        SENT = "sent", _("sent")
        ASKED = "asked", _("asked")
        MAILED = "mailed", _("message sent")
        OPENED = "opened", _("invitation taken up")
        SIGNED = "signed", _("document signed")
        FINISHED = "finished", _("all documents signed")
        APPROVED = "approved", _("approved")
        DECLINED = "declined", _("declined")
        DELEGATED = "delegated", _("handed over")
        REMINDED = "reminded", _("reminded")
        COMPLETED = "completed", _("completed")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")

    envelope = models.ForeignKey(Envelope, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    actor = models.CharField(max_length=255, blank=True, default="")
    detail = models.CharField(max_length=500, blank=True, default="")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.kind}"

    def save(self, *arguments: Any, **parameters: Any) -> None:
        if not self._state.adding:
            raise TypeError("the trail of an envelope is not changed")
        super().save(*arguments, **parameters)
