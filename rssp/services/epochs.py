"""Restore epochs: after a backup is restored, nothing that was authorised before activates a key.

The epoch stands in the token, out of the database's reach; every authorisation carries the one it was made under.
docs/operations/running.md has the procedure.
"""

import logging
import time

from django.db import router, transaction
from django.db.models import Max

from rssp.hsm.interface import Epoch
from rssp.models import AuditEvent, RestoreEpoch
from rssp.services.auditing import EPOCH_BEGUN, record_events
from rssp.services.hsm import get_hsm
from rssp.services.operating import CONSOLE

log = logging.getLogger(__name__)


def prepare_epoch() -> None:
    """Puts the object that the epoch is read from into a token that has none yet, or knows no restore."""
    hsm = get_hsm()
    if hsm.read_epoch() == Epoch(0, 0):
        hsm.raise_epoch(epoch=Epoch(0, 0))


def begin_epoch() -> Epoch:
    """Ends every authorisation that there is, and what the authorization server approved up to now.

    The token first: what is interrupted after that is safe, and run again. Raises `HsmError`.
    """
    hsm = get_hsm()
    highest = RestoreEpoch.objects.aggregate(highest=Max("number"))["highest"] or 0
    epoch = Epoch(number=max(hsm.read_epoch().number, highest) + 1, begun=int(time.time()))
    hsm.raise_epoch(epoch=epoch)
    with transaction.atomic(using=router.db_for_write(RestoreEpoch), durable=True):
        RestoreEpoch.objects.create(number=epoch.number)
        record_events(
            [
                AuditEvent(
                    action=AuditEvent.Action.ADMINISTER,
                    result=AuditEvent.Result.DONE,
                    subject=CONSOLE.name,
                    reason=f"{EPOCH_BEGUN} {epoch.number} begun",
                )
            ]
        )
    return epoch
