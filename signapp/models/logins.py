"""A person's login, with the tokens that their pages use.

It is a row and not a part of the session, because refresh tokens rotate: of two tabs that find the token old, one
conditional UPDATE decides which of them swaps it, and no tab can write an old token back over a new one.
"""

import uuid

from django.db import models
from django.utils import timezone


class Login(models.Model):
    """The session holds ``id`` alone; the tokens are encrypted. Deleting the row ends the login."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    # What the server calls the browser session that this login came from (``sid``), if it does.
    session_id = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=255, blank=True)
    is_operator = models.BooleanField(default=False)
    access_token = models.TextField()
    access_expires_at = models.DateTimeField()
    refresh_token = models.TextField(blank=True)
    # Who holds the lease swaps the refresh token; everybody else waits for them.
    lease_until = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(default=timezone.now)
    created = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="signapp_login_expiry"),
            models.Index(fields=["issuer", "subject"], name="signapp_login_person"),
            models.Index(fields=["issuer", "session_id"], name="signapp_login_session"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class UsedLogoutToken(models.Model):
    """A logout token that was taken; the SHA-256 of its issuer and ``jti``, kept until it could be taken no more."""

    checksum = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.checksum
