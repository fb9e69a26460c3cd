"""Credentials that operators end for good: proposed by one, and confirmed by another where two are needed."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.credentials import Credential
from rssp.models.requests import CertificateRequest


class ProposedEnd(models.Model):
    """One operator's word, and another one's where two are needed."""

    text = models.CharField(max_length=255)  # the first operator's own words
    proposed_by = models.CharField(max_length=255)
    proposed_by_subject = models.CharField(max_length=255, default="", blank=True)  # who that is as a user
    proposed = models.DateTimeField(default=timezone.now)
    confirmed_by = models.CharField(max_length=255, default="", blank=True)
    confirmed = models.DateTimeField(null=True, blank=True)
    withdrawn = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class CredentialEnd(ProposedEnd):
    """One decision to end a credential: its certificate revoked, its key destroyed, its passkeys unbound."""

    class Code(models.TextChoices):
        """Why, as the revocation tells everybody (RFC 5280, 5.3.1)."""

        UNSPECIFIED = "unspecified", _("unspecified")
        KEY_COMPROMISE = "key_compromise", _("key compromised")
        AFFILIATION_CHANGED = "affiliation_changed", _("affiliation changed")
        SUPERSEDED = "superseded", _("superseded")
        CESSATION_OF_OPERATION = "cessation_of_operation", _("no longer used")
        PRIVILEGE_WITHDRAWN = "privilege_withdrawn", _("privilege withdrawn")

    credential = models.ForeignKey(Credential, models.PROTECT, related_name="ends")
    code = models.CharField(max_length=32, choices=Code.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential"], condition=models.Q(withdrawn=None), name="rssp_credential_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credential_id}: {self.code}"


class StandingEnd(ProposedEnd):
    """One decision to end what stands: no certificates are made of it any more."""

    request = models.ForeignKey(CertificateRequest, models.PROTECT, related_name="ends")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request"], condition=models.Q(withdrawn=None), name="rssp_standing_end"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}: {self.text}"
