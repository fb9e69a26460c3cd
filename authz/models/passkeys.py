"""Passkeys: public halves of WebAuthn credentials."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authz.models.users import User


class Passkey(models.Model):
    """One WebAuthn credential. ``public_key`` is the COSE key as the authenticator gave it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(_("name"), max_length=60)
    credential_id = models.BinaryField(_("credential id"), max_length=1023, unique=True)
    public_key = models.BinaryField(_("public key"))
    sign_count = models.PositiveBigIntegerField(_("signature counter"), default=0)
    backup_eligible = models.BooleanField(_("may be synchronised"), default=False)
    backed_up = models.BooleanField(_("is synchronised"), default=False)
    # What kind of authenticator it says it is (AAGUID, a UUID); a claim unless PASSKEY_AAGUIDS demands a proof.
    aaguid = models.CharField(_("authenticator"), max_length=36, blank=True)
    # When its counter last failed to rise, which is how a copy shows.
    suspected = models.DateTimeField(_("may have been copied"), null=True, blank=True)
    transports = models.JSONField(_("transports"), default=list)
    created = models.DateTimeField(_("added"), auto_now_add=True)
    last_used = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("passkey")
        verbose_name_plural = _("passkeys")
        ordering = ["created", "pk"]

    def __str__(self) -> str:
        return self.name


class UsedChallenge(models.Model):
    """A login or enrolment challenge that was answered. Its unique checksum lets one of parallel answers through."""

    checksum = models.CharField(max_length=64, primary_key=True)
    used = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Used {self.used:%H:%M}"
