"""What another OpenID provider said of who asks for a certificate: begun in a browser, and told once."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.requests import CertificateRequest


class IdentityProof(models.Model):
    """One way to the provider and back. Of one request there is one that is open or was refused, and one that holds.

    ``state`` is a SHA-256; the nonce and the PKCE verifier are worth nothing without the code, and go when it is used.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", _("begun")
        VERIFIED = "verified", _("verified")
        REFUSED = "refused", _("refused")

    request = models.ForeignKey(CertificateRequest, models.PROTECT, related_name="identities")
    provider = models.CharField(max_length=255)  # its issuer identifier
    state = models.CharField(max_length=64, unique=True)
    nonce = models.CharField(max_length=64, default="", blank=True)
    code_verifier = models.CharField(max_length=64, default="", blank=True)
    begun = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.OPEN)
    used = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=255, default="", blank=True)  # why it was refused, or did not do alone
    provider_subject = models.CharField(max_length=255, default="", blank=True)
    acr = models.CharField(max_length=255, default="", blank=True)
    authenticated = models.DateTimeField(null=True, blank=True)
    claims = models.JSONField(default=dict, blank=True)  # {attribute: value}, as IDENTITY_CLAIMS names them

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["request"], condition=models.Q(outcome="verified"), name="rssp_identity_verified"
            ),
            models.UniqueConstraint(fields=["request"], condition=models.Q(outcome="open"), name="rssp_identity_open"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.outcome}"
