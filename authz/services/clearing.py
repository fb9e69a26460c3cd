"""What accounts leave behind that nothing can be done with any more."""

from datetime import timedelta

from django.utils import timezone

from authz.models import AddressChange, KnownDevice, PasswordLink, SecurityEvent

EVENTS_KEPT = timedelta(days=365)
DEVICES_KEPT = timedelta(days=180)


def clear_accounts() -> None:
    """Removes links that are over, changes that were never confirmed, and events and devices of long ago."""
    now = timezone.now()
    PasswordLink.objects.filter(expires__lt=now - timedelta(days=1)).delete()
    AddressChange.objects.filter(expires__lt=now - timedelta(days=1), confirmed=None).delete()
    SecurityEvent.objects.filter(happened__lt=now - EVENTS_KEPT).delete()
    KnownDevice.objects.filter(seen__lt=now - DEVICES_KEPT).delete()
