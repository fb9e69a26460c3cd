"""Approvals that this role verified, and the ledger of the digests that they hold."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.credentials import Credential


class Activation(models.Model):
    """One approval with its evidence. The nonce is unique, so one assertion stands behind one token for ever.

    Labels are not kept: they hold file names. Who wants to compute the challenge again takes them from the
    authorization server's record of the consent.
    """

    class Kind(models.TextChoices):
        CREDENTIAL = "credential", _("signing")
        CREDENTIAL_CREATION = "credential-creation", _("creation of a credential")

    nonce = models.CharField(max_length=64, unique=True)  # hexadecimal
    token_checksum = models.CharField(max_length=64, unique=True)  # SHA-256 of the token
    kind = models.CharField(max_length=32, choices=Kind.choices)
    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="activations")
    expires = models.DateTimeField()
    passkey_id = models.BinaryField(max_length=1023)
    authenticator_data = models.BinaryField()
    client_data_json = models.BinaryField()
    signature = models.BinaryField()
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.kind} {self.nonce[:16]}"


class ActivatedDigest(models.Model):
    """One approved occurrence of a digest, and what became of it. Rows change by conditional UPDATE alone."""

    class State(models.TextChoices):
        AUTHORISED = "authorised", _("authorised")
        RESERVED = "reserved", _("reserved")
        INTENDED = "intended", _("the HSM is being asked")
        SIGNED = "signed", _("signed")
        UNKNOWN = "unknown", _("outcome unknown")

    activation = models.ForeignKey(Activation, models.PROTECT, related_name="digests")
    position = models.PositiveIntegerField()
    hash_type = models.CharField(max_length=16)
    hash_algorithm_oid = models.CharField(max_length=64)
    digest = models.CharField(max_length=128)  # hexadecimal
    state = models.CharField(max_length=16, choices=State.choices, default=State.AUTHORISED)
    call = models.UUIDField(null=True, blank=True)  # the call that holds it
    reserved = models.DateTimeField(null=True, blank=True)
    intended = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    signature_sha256 = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["activation", "position"], name="rssp_digest_position"),
        ]
        indexes = [
            models.Index(fields=["call"], name="rssp_digest_call"),
            models.Index(
                fields=["state"], condition=models.Q(state__in=["reserved", "intended"]), name="rssp_digest_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.digest[:16]} ({self.state})"
