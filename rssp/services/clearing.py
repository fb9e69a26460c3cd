"""What is over: challenges and waiting authorisations of explicit mode, old counts. The audit keeps the rest."""

from datetime import timedelta

from django.utils import timezone

from rssp.models import Challenge, KeptAnswer, PendingAuthorization, UsedProof
from rssp.services.limiting import clear_limits

# The longest time that a limit looks back is an hour.
_KEPT = timedelta(days=1)


def clear_expired() -> int:
    """How many rows went."""
    old = timezone.now() - _KEPT
    challenges, _ = Challenge.objects.filter(expires__lt=old).delete()
    pending, _ = PendingAuthorization.objects.filter(expires__lt=old).delete()
    proofs, _ = UsedProof.objects.filter(used__lt=old).delete()
    answers, _ = KeptAnswer.objects.filter(expires__lt=timezone.now()).delete()
    return challenges + pending + proofs + answers + clear_limits()
