"""The pictures by which people know clients."""

from django.conf import settings
from django.db import models


class ClientLogo(models.Model):
    """A client's logo as it is shown on the pages that ask for consent: a PNG of our own making, known by its SHA-256
    in hexadecimal."""

    application = models.OneToOneField(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.CASCADE, related_name="shown_logo"
    )
    checksum = models.CharField(max_length=64, db_index=True)
    png = models.BinaryField()

    def __str__(self) -> str:
        return f"Logo of {self.application}"
