"""Authorisations to sign, and the ledger of the digests that they hold."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.credentials import Credential


class Activation(models.Model):
    """One authorisation with its evidence. The nonce is unique, so one assertion stands behind one token for ever.

    What activates it later is its SAD, of which only the SHA-256 is kept: the access token of an approval by passkey,
    or a handle that this service made when its own factors (PIN, OTP) were right.

    Labels are not kept: they hold file names. Who wants to compute the challenge again takes them from the
    authorization server's record of the consent.
    """

    class Kind(models.TextChoices):
        CREDENTIAL = "credential", _("signing, by passkey")
        CREDENTIAL_CREATION = "credential-creation", _("creation of a credential, by passkey")
        CREDENTIAL_DELETION = "credential-deletion", _("end of a credential, by passkey")
        PASSKEY_BINDING = "passkey-binding", _("a change of passkeys, by passkey")
        EXPLICIT = "explicit", _("signing, by factors of this service")
        EXTERNAL = "external", _("signing, by a token of another provider")

    nonce = models.CharField(max_length=64, unique=True)  # hexadecimal
    sad_checksum = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    factors = models.CharField(max_length=64)
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="activations")
    num_signatures = models.PositiveIntegerField(default=0)
    expires = models.DateTimeField()
    epoch = models.PositiveBigIntegerField(default=0)  # the token's restore epoch when it was made
    # Of an approval by passkey.
    passkey_id = models.BinaryField(max_length=1023, null=True, blank=True)
    authenticator_data = models.BinaryField(null=True, blank=True)
    client_data_json = models.BinaryField(null=True, blank=True)
    signature = models.BinaryField(null=True, blank=True)
    created = models.DateTimeField(default=timezone.now)
    mac = models.CharField(max_length=96)  # over all of this and the ledger rows made with it (services/macs.py)

    def __str__(self) -> str:
        return f"{self.kind} {self.nonce[:16]}"


class RestoreEpoch(models.Model):
    """A restore epoch that this database knows of. The one that holds stands in the token; rows are only added."""

    number = models.PositiveBigIntegerField(primary_key=True)
    begun = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.number)


class Extension(models.Model):
    """A further SAD of an authorisation (CSC API v2, 11.9), from which moment those before it are dead.

    It has its own end of life, and the ledger rows from ``first_position`` on came with it.
    """

    activation = models.ForeignKey(Activation, models.PROTECT, related_name="extensions")
    number = models.PositiveIntegerField()  # from 1
    sad_checksum = models.CharField(max_length=64, unique=True)
    first_position = models.PositiveIntegerField()
    expires = models.DateTimeField()
    created = models.DateTimeField(default=timezone.now)
    mac = models.CharField(max_length=96)

    class Meta:
        # Of two extensions with the same SAD the second finds its number taken.
        constraints = [models.UniqueConstraint(fields=["activation", "number"], name="rssp_extension_number")]

    def __str__(self) -> str:
        return f"{self.activation_id}, extension {self.number}"


class ActivatedDigest(models.Model):
    """One authorised occurrence of a digest, and what became of it. Rows change by conditional UPDATE alone.

    An empty ``digest`` stands for any one digest (SCAL 1).
    """

    class State(models.TextChoices):
        AUTHORISED = "authorised", _("authorised")
        RESERVED = "reserved", _("reserved")
        INTENDED = "intended", _("the HSM is being asked")
        SIGNED = "signed", _("signed")
        UNKNOWN = "unknown", _("outcome unknown")
        WITHDRAWN = "withdrawn", _("withdrawn with the certificate")

    activation = models.ForeignKey(Activation, models.PROTECT, related_name="digests")
    position = models.PositiveIntegerField()
    hash_type = models.CharField(max_length=16)
    hash_algorithm_oid = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=128, blank=True)  # hexadecimal
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


class Intent(models.Model):
    """The HSM is asked for this digest now. One for each ledger row, for ever: whatever becomes of ``state``, a row
    that was spent is spent. Rows are added and never changed.

    ``slot`` names the ledger row by what its authentication code covers, because a row's number can be another's.
    """

    row = models.OneToOneField(ActivatedDigest, models.PROTECT, related_name="intent")
    slot = models.CharField(max_length=80, unique=True)  # nonce:position
    call = models.UUIDField()
    hash_algorithm_oid = models.CharField(max_length=64)
    digest = models.CharField(max_length=128)  # hexadecimal; the row's own, or the one that took a row for any
    happened = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.digest[:16]} ({self.call})"
