"""Browsers that an account was used in before. Who guesses from elsewhere cannot lock them out.

A cookie of the browser's own, set once both factors have verified there, names the device; an account knows it by its
checksum. It opens nothing: it only chooses which counter a guess is counted by (`authz.services.throttling`).
"""

from django.utils import timezone

from authz.models import KnownDevice, User
from authz.services.events import Kind, Visitor, record_event
from authz.services.secrets import checksum, create_secret


def is_known(*, email: str, device: str) -> bool:
    """Whether the account of this address (in lower case) logged in there before; the same question for any address."""
    return KnownDevice.objects.filter(user__email=email, checksum=checksum(device)).exists()


def remember_device(*, user: User, visitor: Visitor) -> str:
    """After a login with both factors: the cookie's value. A browser that is new to this account is told of."""
    device = visitor.device or create_secret()
    first = not KnownDevice.objects.filter(user=user).exists()
    row, is_new = KnownDevice.objects.get_or_create(
        user=user, checksum=checksum(device), defaults={"browser_name": visitor.browser_name}
    )
    if not is_new:
        KnownDevice.objects.filter(pk=row.pk).update(seen=timezone.now(), browser_name=visitor.browser_name)
    kind = Kind.NEW_DEVICE if is_new and not first else Kind.LOGIN
    record_event(user=user, kind=kind, visitor=visitor)
    return device


def forget_devices(*, user: User) -> None:
    """After a recovery: whatever was trusted before is asked anew."""
    KnownDevice.objects.filter(user=user).delete()
