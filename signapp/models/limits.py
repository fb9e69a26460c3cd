"""Numbers that an operator sets without code; what is empty is as the settings say."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

ONLY = 1  # the one row's key


def _number(label: Any, most: int, *, least: int = 1, help_text: Any = "") -> Any:
    return models.PositiveIntegerField(
        label,
        null=True,
        blank=True,
        validators=[MinValueValidator(least), MaxValueValidator(most)],
        help_text=help_text,
    )


def range_of(field: Any) -> tuple[int, int]:
    """The least and the most that a number of `Limits` may be."""
    least = max(each.limit_value for each in field.validators if isinstance(each, MinValueValidator))
    most = min(each.limit_value for each in field.validators if isinstance(each, MaxValueValidator))
    return least, most


class Limits(models.Model):
    """One row at most."""

    library_documents = _number(_("documents in one person's library"), 100_000)
    envelope_documents = _number(_("documents in one envelope"), 200)
    envelope_recipients = _number(_("people in one envelope"), 500)
    envelope_expiry_days = _number(
        _("days that an envelope waits for its signers"), 3650, help_text=_("Of those that are sent from now on.")
    )
    invitation_days = _number(
        _("days that a mailed link works"), 365, help_text=_("Of those that are mailed from now on.")
    )
    reminder_days = _number(_("days of silence before a reminder"), 365)
    bin_days = _number(_("days in the bin"), 3650, help_text=_("How long what somebody threw away can be put back."))
    keep_days = _number(
        _("days that ended envelopes are kept"),
        36_500,
        least=0,
        help_text=_(
            "0 keeps them for ever. Everybody who has one is told a week before it goes: whatever is set here deletes"
            " nothing for a week. A record without names and contents stays."
        ),
    )
    export_megabytes = _number(
        _("megabytes in one file of an export"),
        100_000,
        least=10,
        help_text=_("Who has more gets several files. A worker needs as much room beside the documents."),
    )
    updated = models.DateTimeField(_("last changed"), auto_now=True)

    class Meta:
        verbose_name = _("limits and retention")
        verbose_name_plural = _("limits and retention")

    def __str__(self) -> str:
        return str(_("Limits and retention"))
