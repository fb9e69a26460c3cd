"""What explicit mode leaves behind: challenges and waiting authorisations that are over. The audit keeps the rest."""

from datetime import timedelta

from django.utils import timezone

from rssp.models import Challenge, PendingAuthorization

# The longest time that a limit looks back is an hour.
_KEPT = timedelta(days=1)


def clear_expired() -> int:
    """How many rows went."""
    old = timezone.now() - _KEPT
    challenges, _ = Challenge.objects.filter(expires__lt=old).delete()
    pending, _ = PendingAuthorization.objects.filter(expires__lt=old).delete()
    return challenges + pending
