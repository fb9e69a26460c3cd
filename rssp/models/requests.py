"""Requests for certificates: what was asked for, what was verified and by whom, and who decided."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.activations import Activation
from rssp.models.credentials import Credential
from rssp.models.keys import SigningKey


class CertificateRequest(models.Model):
    """One request, from the owner's approval to the certificate. The key is there from the start, and the passkey that
    will activate it; the credential is there when the certificate is. States change by conditional UPDATE alone.

    Of a policy whose certificates are for one signature each, an approved request stands: it has no key, and a
    credential is made of it for each signature (`OneTimeCredential`) until it expires or is ended.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for an operator")
        APPROVED = "approved", _("approved, to be issued")
        STANDING = "standing", _("standing: a certificate for each signature")
        ISSUED = "issued", _("issued")
        REFUSED = "refused", _("refused")
        EXPIRED = "expired", _("expired")
        ENDED = "ended", _("ended for good")

    credential_id = models.CharField(max_length=64)  # the credential's, once it is made
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    certificate_policy = models.CharField(max_length=64)
    key = models.ForeignKey(SigningKey, models.PROTECT, null=True, blank=True, related_name="requests")
    key_algorithm = models.CharField(max_length=32, default="", blank=True)  # of the keys to come, where there is none
    passkey_id = models.BinaryField(max_length=1023)
    passkey_public_key = models.BinaryField()  # COSE key
    mac = models.CharField(max_length=96)  # over owner, key and passkey (services/macs.py)
    activation = models.OneToOneField(Activation, models.PROTECT, null=True, related_name="request")
    # Of a renewal, which operators ask for: no approval and no passkey, since the credential has its own.
    renews = models.ForeignKey(Credential, models.PROTECT, null=True, blank=True, related_name="renewals")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    reason = models.CharField(max_length=255, default="", blank=True)  # why it was refused, or not issued yet
    certification_request = models.BinaryField(default=b"")  # PKCS#10, DER, for an outside authority
    made = models.OneToOneField(Credential, models.PROTECT, null=True, blank=True, related_name="request")
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    claimed = models.DateTimeField(null=True, blank=True)  # somebody has it issued since then
    closed = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential_id"], condition=models.Q(renews=None), name="rssp_request_credential"
            ),
            models.UniqueConstraint(
                fields=["renews"],
                condition=models.Q(renews__isnull=False, state__in=["waiting", "approved"]),
                name="rssp_request_renewal",
            ),
            models.CheckConstraint(
                condition=models.Q(activation=None) ^ models.Q(renews=None), name="rssp_request_origin"
            ),
            models.CheckConstraint(condition=models.Q(key=None) ^ models.Q(key_algorithm=""), name="rssp_request_key"),
        ]
        indexes = [
            models.Index(fields=["issuer", "subject", "created"], name="rssp_request_owner"),
            models.Index(fields=["state", "created"], name="rssp_request_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.credential_id} ({self.state})"

    @property
    def kind_of_key(self) -> str:
        """The algorithm of the key, or of those to come."""
        return self.key_algorithm if self.key is None else self.key.key_algorithm

    @property
    def own_key(self) -> SigningKey:
        """Of a request that has one: all but those that stand, or will."""
        if self.key is None:
            raise ValueError("keys are made for each signature")
        return self.key


class RequestAttribute(models.Model):
    """One attribute of a request's subject, and who verified it, how and when. What nobody verified gets into no
    certificate, but for the name of a demonstration, which says so itself."""

    class Source(models.TextChoices):
        NOBODY = "", _("nobody")
        EMAIL_LINK = "e-mail link", _("a link sent by e-mail")
        OPERATOR = "operator", _("an operator")
        CLAIMS = "claims", _("claims of an OpenID provider")

    request = models.ForeignKey(CertificateRequest, models.PROTECT, related_name="attributes")
    name = models.CharField(max_length=32)
    value = models.CharField(max_length=254)
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.NOBODY, blank=True)
    verifier = models.CharField(max_length=255, default="", blank=True)
    verified = models.DateTimeField(null=True, blank=True)
    evidence = models.TextField(default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "name"], name="rssp_request_attribute")]

    def __str__(self) -> str:
        return f"{self.name}: {self.source or 'unverified'}"


class RequestDecision(models.Model):
    """One operator's word on a request: once, and never changed."""

    class Verdict(models.TextChoices):
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")

    request = models.ForeignKey(CertificateRequest, models.PROTECT, related_name="decisions")
    operator = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, default="", blank=True)  # who the operator is as a user
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    text = models.TextField()  # the evidence, or why it is refused
    decided = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "operator"], name="rssp_request_decision")]

    def __str__(self) -> str:
        return f"{self.operator}: {self.verdict}"
