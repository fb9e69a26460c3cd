"""Lists that are kept no longer: they hold names and addresses."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from signapp.models import BulkSend
from signapp.services.bulk.sending import drop_pattern
from signapp.services.limits import read_limits

# A list that was checked and not sent for so long will not be.
UNSENT = timedelta(days=30)


def clear_lists() -> int:
    """Deletes lists that were never sent, and those that ended longer ago than envelopes are kept; how many. The
    envelopes that were sent stay."""
    now, keep_days = timezone.now(), read_limits().keep_days
    over = Q(state=BulkSend.State.CHECKED, created__lte=now - UNSENT)
    if keep_days:
        over |= Q(ended_at__lte=now - timedelta(days=keep_days))
    cleared = 0
    for bulk_id in list(BulkSend.objects.filter(over).values_list("pk", flat=True)):
        # Whoever takes it out of the way of being sent deletes it.
        mine = BulkSend.objects.filter(over, pk=bulk_id)
        if mine.change(state=BulkSend.State.STOPPED, ended_at=now):
            drop_pattern(bulk_id)
            BulkSend.objects.filter(pk=bulk_id).delete()
            cleared += 1
    return cleared
