"""How many, how long: what an operator set in the administration, else what the settings say."""

from dataclasses import dataclass, fields

from django.conf import settings

from signapp.models import Limits
from signapp.models.limits import ONLY


@dataclass(frozen=True)
class Numbers:
    """``keep_days`` is 0 where what has ended is kept for ever."""

    library_documents: int
    envelope_documents: int
    envelope_recipients: int
    envelope_expiry_days: int
    invitation_days: int
    reminder_days: int
    bin_days: int
    keep_days: int
    export_megabytes: int


NAMES = tuple(field.name for field in fields(Numbers))


def default_of(name: str) -> int:
    """What holds where the operator has said nothing."""
    number: int = getattr(settings, name.upper())
    return number


def read_limits() -> Numbers:
    """Those that hold now."""
    row = Limits.objects.filter(pk=ONLY).first()
    chosen = {name: getattr(row, name, None) for name in NAMES}
    return Numbers(**{name: default_of(name) if number is None else number for name, number in chosen.items()})
