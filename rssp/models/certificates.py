"""Certificates that this role's authority issued, its own among them."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Certificate(models.Model):
    """One certificate. The row is there, with its serial number, before the authority's key is asked: it stays
    ``intended`` when signing failed or its outcome is unknown."""

    class Role(models.TextChoices):
        ROOT = "root", _("root authority")
        ISSUING = "issuing", _("issuing authority")
        TSA = "tsa", _("time-stamping unit")
        OCSP = "ocsp", _("OCSP responder")
        SIGNER = "signer", _("signer")
        SEAL = "seal", _("electronic seal")
        OUTSIDE = "outside", _("authority outside")

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested elsewhere")
        INTENDED = "intended", _("intended")
        ISSUED = "issued", _("issued")

    class Status(models.TextChoices):
        VALID = "valid", _("valid")
        SUSPENDED = "suspended", _("suspended")
        REVOKED = "revoked", _("revoked")

    class Reason(models.TextChoices):
        """Why it is not valid (RFC 5280, 5.3.1); removeFromCRL and aACompromise are for others."""

        UNSPECIFIED = "unspecified", _("unspecified")
        KEY_COMPROMISE = "key_compromise", _("the key is compromised")
        CA_COMPROMISE = "ca_compromise", _("the authority's key is compromised")
        AFFILIATION_CHANGED = "affiliation_changed", _("name or affiliation changed")
        SUPERSEDED = "superseded", _("superseded")
        CESSATION_OF_OPERATION = "cessation_of_operation", _("no longer needed")
        CERTIFICATE_HOLD = "certificate_hold", _("on hold")
        PRIVILEGE_WITHDRAWN = "privilege_withdrawn", _("privilege withdrawn")

    serial_number = models.CharField(max_length=40)  # hexadecimal; one issuer uses it once
    role = models.CharField(max_length=16, choices=Role.choices)
    profile = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.INTENDED)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.VALID)
    # Counts changes of status: a signed answer about an older one is worth nothing.
    status_version = models.PositiveIntegerField(default=0)
    revoked_at = models.DateTimeField(null=True, blank=True)  # or since when it is on hold
    revocation_reason = models.CharField(max_length=64, choices=Reason.choices, default="", blank=True)
    partition = models.PositiveIntegerField(default=0)  # of its issuer's revocation lists
    # When an issuer outside was told that it is revoked, and what it had against it.
    issuer_told = models.DateTimeField(null=True, blank=True)
    issuer_refusal = models.CharField(max_length=255, default="", blank=True)
    issuer = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="issued")
    # What a role's successive certificates of this service are told apart by, in their addresses too.
    generation = models.PositiveSmallIntegerField(default=1)
    renews = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="renewals")
    subject = models.CharField(max_length=1024)  # RFC 4514
    public_key_sha256 = models.CharField(max_length=64, default="", blank=True)  # of the SubjectPublicKeyInfo
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    der = models.BinaryField(default=b"")
    hsm_key_id = models.BinaryField(max_length=16, null=True, blank=True)  # of an authority's own key
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Two processes that prepare the authority at once come to the same one.
            models.UniqueConstraint(
                fields=["role", "generation"],
                condition=models.Q(role__in=["root", "issuing", "tsa", "ocsp"], state="issued"),
                name="rssp_certificate_generation",
            ),
            models.UniqueConstraint(fields=["issuer", "serial_number"], name="rssp_certificate_serial"),
            # One key, one credential: nobody else's certificate is for it, and its renewals name what they renew.
            models.UniqueConstraint(
                fields=["public_key_sha256"],
                condition=models.Q(state="issued", renews=None) & ~models.Q(public_key_sha256=""),
                name="rssp_certificate_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} ({self.serial_number})"

    @property
    def published_name(self) -> str:
        """Of the service's own certificates: ``issuing``, and ``issuing-2`` from the second generation on."""
        return str(self.role) if self.generation == 1 else f"{self.role}-{self.generation}"
