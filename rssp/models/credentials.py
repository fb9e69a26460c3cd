"""Signers' credentials and the passkeys that may activate them. A user is (issuer, subject), two strings."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.certificates import Certificate
from rssp.models.keys import SigningKey


class Credential(models.Model):
    """A signer's key and its certificate (CSC API, credential). Only its owner's approvals activate it."""

    class Status(models.TextChoices):
        ENABLED = "enabled", _("enabled")
        DISABLED = "disabled", _("disabled")
        ENDED = "ended", _("ended for good")

    class AuthMode(models.TextChoices):
        """CSC API v1, ``authMode``. Only the first is under the signer's sole control by a passkey of theirs."""

        OAUTH2CODE = "oauth2code", _("OAuth with a passkey")
        EXPLICIT = "explicit", _("explicit: PIN, one-time password (weaker)")
        IMPLICIT = "implicit", _("implicit: a passkey, asked for out of band (weaker)")
        # On the wire it is oauth2code: how an application opens it is the same.
        EXTERNAL = "external", _("OAuth at another provider, one signature a token (weaker)")

    credential_id = models.CharField(max_length=64, unique=True)  # a UUID in its canonical text form
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    key = models.ForeignKey(SigningKey, models.PROTECT, related_name="credentials")
    certificate = models.ForeignKey(Certificate, models.PROTECT, related_name="credentials")
    certificate_policy = models.CharField(max_length=64)
    description = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ENABLED)
    scal = models.CharField(max_length=1, default="2")
    auth_mode = models.CharField(max_length=16, choices=AuthMode.choices, default=AuthMode.OAUTH2CODE)
    auth_expression = models.CharField(max_length=255, default="", blank=True)  # over its authentication objects
    multisign = models.PositiveIntegerField(default=1000)
    # An operator's mark: clients with a grant for this owner use it without a person (`SealGrant`).
    is_seal = models.BooleanField(default=False)
    created = models.DateTimeField(default=timezone.now)
    mac = models.CharField(max_length=96)  # over owner, key and way of activation (services/macs.py)

    class Meta:
        indexes = [models.Index(fields=["issuer", "subject", "created"], name="rssp_credential_owner")]

    def __str__(self) -> str:
        return self.credential_id

    @property
    def is_opened_by_oauth(self) -> bool:
        """Whether a token of scope ``credential`` opens it, with a passkey's approval behind it or without."""
        return self.auth_mode in {self.AuthMode.OAUTH2CODE, self.AuthMode.EXTERNAL}

    @property
    def csc_auth_mode(self) -> str:
        """``authMode`` as the CSC API knows it."""
        return str(self.AuthMode.OAUTH2CODE if self.is_opened_by_oauth else self.auth_mode)


class PasskeyBinding(models.Model):
    """The passkey whose assertions activate a credential: our own copy of its public key, never authz's word."""

    credential = models.ForeignKey(Credential, models.PROTECT, related_name="bindings")
    passkey_id = models.BinaryField(max_length=1023)
    public_key = models.BinaryField()  # COSE key
    bound = models.DateTimeField(default=timezone.now)
    unbound = models.DateTimeField(null=True, blank=True)
    mac = models.CharField(max_length=96)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential", "passkey_id"], condition=models.Q(unbound=None), name="rssp_binding_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credential_id}: {bytes(self.passkey_id).hex()[:16]}"
