"""What lets people back in: printed codes, links to a new password, and changes of the address that can be undone.

Only checksums of codes and links are kept; each has more than 112 random bits.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from authz.models.users import User


class RecoveryCode(models.Model):
    """A printed code, which stands in for a passkey once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    checksum = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Recovery code of {self.user}"


class PasswordLink(models.Model):
    """A mailed link to the page where a new password is set, with a second factor beside it. Used once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_links")
    email = models.EmailField()
    checksum = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Password link of {self.user}"


class AddressChange(models.Model):
    """An account's way from one address to another: confirmed by a link to the new one, undone by a link to the old.

    ``was_verified`` is whether the old address was, so that undoing gives back what there was.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="address_changes")
    old_email = models.EmailField()
    new_email = models.EmailField()
    was_verified = models.BooleanField()
    checksum = models.CharField(max_length=64, unique=True)
    undo_checksum = models.CharField(max_length=64, blank=True, db_index=True)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    confirmed = models.DateTimeField(null=True)
    undo_expires = models.DateTimeField(null=True)
    undone = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.old_email} to {self.new_email}"


class KnownDevice(models.Model):
    """A browser in which this account logged in with both factors: known by the checksum of a cookie of its own."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_devices")
    checksum = models.CharField(max_length=64)
    browser_name = models.CharField(max_length=60, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    seen = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "checksum"], name="authz_known_device")]

    def __str__(self) -> str:
        return self.browser_name or "A browser"


class SecurityEvent(models.Model):
    """What happened to an account, told to its owner. Rows are added and never changed, but for ``told``."""

    class Kind(models.TextChoices):
        LOGIN = "login", _("Logged in")
        NEW_DEVICE = "new-device", _("Logged in on a new device")
        PASSKEY_ADDED = "passkey-added", _("Passkey added")
        PASSKEY_REMOVED = "passkey-removed", _("Passkey removed")
        PASSKEY_SUSPECTED = "passkey-suspected", _("Passkey refused: it may have been copied")
        CODES_MADE = "codes-made", _("New recovery codes made")
        CODE_USED = "code-used", _("Recovery code used")
        PASSWORD_CHANGED = "password-changed", _("Password changed")
        PASSWORD_RESET = "password-reset", _("Forgotten password replaced")
        ADDRESS_CHANGED = "address-changed", _("E-mail address changed")
        ADDRESS_RESTORED = "address-restored", _("Change of the e-mail address undone")
        SESSION_ENDED = "session-ended", _("Session ended")
        ALL_ENDED = "all-ended", _("Logged out everywhere")
        CLIENT_ALLOWED = "client-allowed", _("Application allowed")
        APPROVED = "approved", _("Approved")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="security_events")
    kind = models.CharField(_("what"), max_length=32, choices=Kind.choices)
    detail = models.CharField(_("which"), max_length=200, blank=True)
    browser_name = models.CharField(_("browser"), max_length=60, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    happened = models.DateTimeField(_("when"), auto_now_add=True)
    told = models.DateTimeField(_("message sent"), null=True, editable=False)

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        ordering = ["-happened", "-pk"]
        indexes = [models.Index(fields=["user", "-happened"], name="authz_event_user")]

    def __str__(self) -> str:
        return self.get_kind_display()
