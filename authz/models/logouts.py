"""What clients are still to be told of logins that ended."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class LogoutNotice(models.Model):
    """One client, one login of one person that ended: a row until the client has taken its logout token, or was tried
    too often. ``sub`` and ``sid`` are what its ID token said (OpenID Connect Back-Channel Logout 1.0, 2.4)."""

    application = models.ForeignKey(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.CASCADE, related_name="logout_notices"
    )
    sub = models.CharField(max_length=36)
    sid = models.CharField(max_length=43)
    created = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "sid"], name="authz_logout_notice_once")]

    def __str__(self) -> str:
        return f"{self.application} of {self.sid}"
