"""What opens an explicit credential (CSC API v2, 8.3): PINs, one-time passwords, approvals asked for out of band."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rssp.models.credentials import Credential


class AuthenticationObject(models.Model):
    """One factor of a credential, with its own count of tries. ``secret`` is sealed (`services.sealing`)."""

    class Kind(models.TextChoices):
        PIN = "pin", _("PIN")
        TOTP = "totp", _("one-time password by the clock")
        EMAIL = "email", _("one-time password by e-mail")
        OCRA = "ocra", _("answer to a challenge")
        PASSKEY = "passkey", _("passkey, out of band")

    credential = models.ForeignKey(Credential, models.PROTECT, related_name="authentication_objects")
    identifier = models.CharField(max_length=32)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    label = models.CharField(max_length=255)
    description = models.CharField(max_length=255, default="", blank=True)
    # A, N or empty: any characters (CSC API v2, 8.3).
    format = models.CharField(max_length=1, default="", blank=True)
    generator = models.CharField(max_length=64, default="", blank=True)
    secret = models.TextField(default="", blank=True)
    # Tries since the last success, each counted before it is looked at; how often that closed the object in a row.
    attempts = models.PositiveIntegerField(default=0)
    lockouts = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(null=True, blank=True)  # RFC 6238, 5.2: no time step twice

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["credential", "identifier"], name="rssp_authentication_object"),
        ]

    def __str__(self) -> str:
        return f"{self.identifier} ({self.kind})"


class Challenge(models.Model):
    """An answer that is expected once, soon, from one client: what was sent by e-mail, or what a device computes."""

    authentication_object = models.ForeignKey(AuthenticationObject, models.PROTECT, related_name="challenges")
    client_id = models.CharField(max_length=255)
    answer_hash = models.CharField(max_length=64)  # keyed
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["authentication_object", "created"], name="rssp_challenge_object")]

    def __str__(self) -> str:
        return f"{self.authentication_object_id} {self.created:%Y-%m-%d %H:%M:%S}"


class PendingAuthorization(models.Model):
    """A ``credentials/authorize`` that waits for the signer's passkey; the client polls with the handle."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")

    handle_checksum = models.CharField(max_length=64, unique=True)  # SHA-256
    credential = models.ForeignKey(Credential, models.PROTECT, related_name="pending_authorizations")
    client_id = models.CharField(max_length=255)
    request = models.TextField()  # the authorization server's auth_req_id, sealed
    hash_algorithm_oid = models.CharField(max_length=64)
    digests = models.JSONField()  # hexadecimal, in the request's order
    factors = models.CharField(max_length=64)  # what was verified before the passkey was asked for
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    interval = models.PositiveIntegerField()  # seconds between two questions
    next_poll = models.DateTimeField()
    created = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.credential_id} {self.state}"
