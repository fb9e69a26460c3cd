"""People: signers and operators."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Addresses are compared without regard to case, and kept in lower case."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=self.normalize_email(username))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A user with this password, or with none that works."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # the provider's models carry no types
    """Known outside this role by ``sub`` alone."""

    sub = models.UUIDField(_("subject"), unique=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    # The address that was verified; it counts as long as it is the account's.
    verified_email = models.EmailField(_("verified address"), blank=True, editable=False)
    name = models.CharField(_("name"), max_length=150)
    # The one that the account's pages were last shown in; empty for who was never here.
    language = models.CharField(_("language"), max_length=16, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    date_joined = models.DateTimeField(_("joined"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(Lower("email"), name="authz_user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_email_verified(self) -> bool:
        """Whether a link that was mailed to this very address came back."""
        return self.verified_email == self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name


class OperatorInvitation(models.Model):
    """A one-time link with which an operator sets password and passkey. Only the link's checksum is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    checksum = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Invitation of {self.user}"


class AddressLink(models.Model):
    """A link that was mailed to ``email``, to be opened once by its user. Only its checksum is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="address_links")
    email = models.EmailField()
    checksum = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Link to {self.email}"


class SignUpLink(models.Model):
    """A link to a sign-up, mailed to an address that had no account. Only its checksum is kept.

    ``next`` is a path of ours, good in the browser whose binding has the checksum ``browser``.
    """

    email = models.EmailField()
    checksum = models.CharField(max_length=64, unique=True)
    next = models.CharField(max_length=2000)
    browser = models.CharField(max_length=64)
    expires = models.DateTimeField(db_index=True)
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Sign-up of {self.email}"
