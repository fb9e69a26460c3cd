"""The envelopes of one account, by where they stand for this account."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from signapp.models import Envelope, Recipient
from signapp.models.documents import ChangingQuerySet
from signapp.services.envelopes.access import in_bin, visible_envelopes
from signapp.services.logins import Account

SHOWS = ("waiting", "others", "done", "ended", "drafts", "bin")
PAGE = 50
SENDERS = ("me", "others")
_ENDED = (Envelope.State.DECLINED, Envelope.State.CANCELLED, Envelope.State.EXPIRED)


@dataclass(frozen=True)
class Filter:
    """What narrows a list: ``query`` is looked for in titles, senders, people and names of documents; ``sender`` is
    one of `SENDERS` or empty; ``since`` leaves out what was created before."""

    query: str = ""
    sender: str = ""
    since: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.query or self.sender or self.since)


def _in(found: ChangingQuerySet, account: Account, show: str) -> ChangingQuerySet:
    turn = Exists(
        Recipient.objects.filter(
            envelope=OuterRef("pk"), issuer=account.issuer, subject=account.subject, state=Recipient.State.ACTIVE
        )
    )
    conditions = {
        "waiting": Q(turn, state=Envelope.State.SENT),
        "others": Q(~turn, state=Envelope.State.SENT),
        "done": Q(state=Envelope.State.COMPLETED),
        "ended": Q(state__in=_ENDED),
        "drafts": Q(state=Envelope.State.DRAFT),
        "bin": Q(),
    }
    binned = in_bin(account, is_final=False)
    narrowed: ChangingQuerySet = found.filter(conditions[show], binned if show == "bin" else ~binned)
    return narrowed


def count_envelopes(*, account: Account) -> dict[str, int]:
    """How many under each of `SHOWS`."""
    found = visible_envelopes(account)
    return {show: _in(found, account, show).count() for show in SHOWS}


def list_envelopes(
    *, account: Account, show: str, wanted: Filter | None = None, page: int = 1
) -> tuple[list[Envelope], bool]:
    """A page of `PAGE`, newest first, and whether there is another."""
    found = _narrow(_in(visible_envelopes(account), account, show), account, wanted or Filter())
    start = (page - 1) * PAGE
    rows = list(found.prefetch_related("recipients").order_by("-created")[start : start + PAGE + 1])
    return rows[:PAGE], len(rows) > PAGE


def _narrow(found: ChangingQuerySet, account: Account, wanted: Filter) -> ChangingQuerySet:
    if wanted.query:
        query = wanted.query
        people = Recipient.objects.filter(Q(name__icontains=query) | Q(email__icontains=query), envelope=OuterRef("pk"))
        text = Q(title__icontains=query) | Q(sender_name__icontains=query) | Q(documents__name__icontains=query)
        found = found.filter(text | Exists(people)).distinct()
    if wanted.sender:
        mine = Q(issuer=account.issuer, subject=account.subject)
        found = found.filter(mine if wanted.sender == "me" else ~mine)
    if wanted.since:
        found = found.filter(created__gte=wanted.since)
    return found
