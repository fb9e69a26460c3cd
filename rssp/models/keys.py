"""Signers' private keys as this role knows them: where each is kept, never what it is."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class KeyEncryptionKey(models.Model):
    """Two secret keys in the token under one CKA_ID, which never leave it: AES wraps signers' keys, HMAC binds each
    wrapped key to its row. One is active; the others still open what they wrapped until a rotation is through."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")
        DESTROYED = "destroyed", _("destroyed")

    key_id = models.BinaryField(max_length=16, unique=True)  # CKA_ID
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    created = models.DateTimeField(default=timezone.now)
    retired = models.DateTimeField(null=True, blank=True)
    destroyed = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=models.Q(state="active"), name="rssp_kek_one_active"),
        ]

    def __str__(self) -> str:
        return f"{bytes(self.key_id).hex()[:8]} ({self.state})"


class SigningKey(models.Model):
    """A signer's private key: resident in the token, or wrapped by a key of the token's and kept here.

    Pooled keys are nobody's yet. A destroyed key's row stays, without what would bring the key back.
    """

    class Storage(models.TextChoices):
        RESIDENT = "resident", _("in the token")
        WRAPPED = "wrapped", _("wrapped by the token")

    class State(models.TextChoices):
        POOLED = "pooled", _("pooled")
        ASSIGNED = "assigned", _("assigned")
        DESTROYED = "destroyed", _("destroyed")

    key_id = models.BinaryField(max_length=16, unique=True)  # CKA_ID, random
    key_algorithm = models.CharField(max_length=32)
    public_key = models.BinaryField()  # DER SubjectPublicKeyInfo
    storage = models.CharField(max_length=16, choices=Storage.choices)
    kek = models.ForeignKey(KeyEncryptionKey, models.PROTECT, null=True, blank=True, related_name="signing_keys")
    wrapped_key = models.BinaryField(null=True, blank=True)  # PKCS #8, by AES-KWP (RFC 5649)
    binding = models.BinaryField(null=True, blank=True)  # HMAC over everything else that names this key
    state = models.CharField(max_length=16, choices=State.choices, default=State.POOLED)
    one_time = models.BooleanField(default=False)  # for one signHash call, then destroyed
    created = models.DateTimeField(default=timezone.now)
    assigned = models.DateTimeField(null=True, blank=True)
    destroyed = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "key_algorithm"], name="rssp_signing_key_pool")]
        constraints = [
            models.CheckConstraint(
                name="rssp_signing_key_storage",
                condition=(
                    models.Q(storage="resident", kek=None, wrapped_key=None)
                    | models.Q(storage="wrapped", state="destroyed", wrapped_key=None)
                    | (
                        models.Q(storage="wrapped", kek__isnull=False, wrapped_key__isnull=False)
                        & ~models.Q(state="destroyed")
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key_algorithm} {bytes(self.key_id).hex()[:8]} ({self.state})"
