"""Whether the audit is as it was written: ``manage.py verify_audit``.

Entries stand in chains, one for each thread that wrote (docs/decisions/0008): each entry's code covers the entry and
the code before it. The ledger's intents are the second witness: each has its entry, and each signature its intent.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from rssp.models import ActivatedDigest, AuditCheckpoint, AuditEvent, Intent
from rssp.services.audit_checkpoints import checkpoint_facts
from rssp.services.macs import event_facts, is_mac

_BATCH = 2000
_ASKED = frozenset({AuditEvent.Result.SIGNED, AuditEvent.Result.UNKNOWN, AuditEvent.Result.NOT_ASKED})


@dataclass(frozen=True, order=True)
class Finding:
    """Something is wrong at, or just before, the entry ``sequence``."""

    sequence: int
    what: str


def verify_audit() -> tuple[int, list[Finding]]:
    """How many entries there are, and what is wrong with them, the first place first."""
    examined = _Examined()
    findings = [*examined.chains(), *examined.checkpoints(), *examined.intents()]
    return examined.entries, sorted(findings)


class _Examined:
    """One pass over the entries, and what the other passes need of it."""

    def __init__(self) -> None:
        self.entries = 0
        self._ends: dict[str, int] = {}  # the last number of each chain
        self._codes: dict[tuple[str, int], tuple[int, str]] = {}  # of the entries that checkpoints name
        self._asked: Counter[tuple[UUID | None, str]] = Counter()
        self._first: dict[tuple[UUID | None, str], int] = {}
        self._checkpoints = list(AuditCheckpoint.objects.order_by("number"))
        self._named = {(chain, number) for point in self._checkpoints for chain, number, _, _ in point.heads}

    def chains(self) -> Iterator[Finding]:
        before: AuditEvent | None = None
        for event in AuditEvent.objects.order_by("chain", "number", "sequence").iterator(chunk_size=_BATCH):
            self.entries += 1
            self._remember(event)
            if event.chain is None or event.number is None:
                yield Finding(event.sequence, "an entry that this service did not write was inserted")
                continue
            if before is not None and before.chain != event.chain:
                before = None
            yield from _verify_entry(event, before)
            before = event

    def _remember(self, event: AuditEvent) -> None:
        if event.chain is not None and event.number is not None:
            self._ends[event.chain.hex] = event.number
            if (event.chain.hex, event.number) in self._named:
                self._codes[event.chain.hex, event.number] = (event.sequence, event.mac)
        if event.action == AuditEvent.Action.SIGN and event.result in _ASKED:
            self._asked[event.call, event.digest] += 1
            self._first.setdefault((event.call, event.digest), event.sequence)

    def checkpoints(self) -> Iterator[Finding]:
        previous = ""
        for expected, point in enumerate(self._checkpoints, start=1):
            if point.number != expected:
                yield Finding(point.through, f"checkpoint {expected} was deleted")
                return
            if not is_mac(point.mac, "audit checkpoint", checkpoint_facts(point, previous)):
                yield Finding(point.through, f"checkpoint {point.number} was changed")
            previous = point.mac
            yield from self._verify_heads(point)

    def _verify_heads(self, point: AuditCheckpoint) -> Iterator[Finding]:
        for chain, number, sequence, mac in point.heads:
            found = self._codes.get((chain, number))
            if found is None and number > self._ends.get(chain, -1):
                yield Finding(sequence, f"this entry was deleted with what stood behind it (chain {chain[:8]})")
            elif found is not None and found != (sequence, mac):
                yield Finding(sequence, f"this entry is not the one that checkpoint {point.number} saw")

    def intents(self) -> Iterator[Finding]:
        """Open intents have no entry yet."""
        last = max((point.through for point in self._checkpoints), default=0)
        done = Intent.objects.exclude(row__state=ActivatedDigest.State.INTENDED)
        key: tuple[UUID | None, str]
        for key in done.values_list("call", "digest").iterator(chunk_size=_BATCH):
            if self._asked[key] < 1:
                yield Finding(last, f"the entry of call {key[0]} was deleted: its intent is there")
            self._asked[key] -= 1
        for (call, digest), left in self._asked.items():
            if left > 0 and not Intent.objects.filter(call=call or UUID(int=0), digest=digest).exists():
                yield Finding(self._first[call, digest], f"call {call} has an entry and no intent")


def _verify_entry(event: AuditEvent, before: AuditEvent | None) -> Iterator[Finding]:
    """``before`` is the entry before it in its chain, whatever is wrong with that."""
    number, last = event.number or 0, -1 if before is None else before.number or 0
    if number != last + 1:
        missing = number - last - 1
        yield Finding(event.sequence, f"{missing} entries before this one were deleted")
        return  # whose code was the one before is not known
    if before is not None and event.sequence < before.sequence:
        yield Finding(event.sequence, "the order of entries was changed here")
    if not is_mac(event.mac, "audit event", (before.mac if before else "", *event_facts(event))):
        yield Finding(event.sequence, "this entry was changed, inserted or put in another one's place")
