"""The ends of the audit's chains, written down: what was there at a checkpoint cannot go unnoticed afterwards.

A chain shows what is missing inside it; a checkpoint, what is missing at its end, or a chain that is missing whole.
The checkpoint's own code goes to the log, which leaves the database's reach (docs/decisions/0008).
"""

import logging
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, router, transaction

from rssp.models import AuditCheckpoint, AuditEvent
from rssp.services.macs import Part, make_mac

log = logging.getLogger(__name__)

# An entry may be committed after entries with higher sequences: so far back it is still looked for.
_OVERLAP = 1000


def make_checkpoint() -> AuditCheckpoint | None:
    """The next checkpoint, or None if nothing was audited since the last one, or another process was faster."""
    last = AuditCheckpoint.objects.order_by("number").last()
    through = last.through if last else 0
    since = AuditEvent.objects.filter(sequence__gt=max(0, through - _OVERLAP))
    heads: dict[str, list[Any]] = {}
    for chain, number, sequence, mac in since.order_by("number").values_list("chain", "number", "sequence", "mac"):
        if chain is not None:
            heads[chain.hex] = [chain.hex, number, sequence, mac]
            through = max(through, sequence)
    if last is not None and through == last.through:
        return None
    checkpoint = AuditCheckpoint(number=last.number + 1 if last else 1, through=through, heads=sorted(heads.values()))
    checkpoint.mac = make_mac("audit checkpoint", checkpoint_facts(checkpoint, last.mac if last else ""))
    try:
        with transaction.atomic(using=router.db_for_write(AuditCheckpoint)):
            checkpoint.save(force_insert=True)
    except IntegrityError:
        return None
    log.info("audit checkpoint %d through %d: %s", checkpoint.number, checkpoint.through, checkpoint.mac)
    return checkpoint


def checkpoint_facts(checkpoint: AuditCheckpoint, previous: str) -> Iterable[Part]:
    yield from (previous, checkpoint.number, checkpoint.happened, checkpoint.through, len(checkpoint.heads))
    for head in checkpoint.heads:
        yield from head
