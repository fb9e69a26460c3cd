"""What the composition keeps: how the product looks and is called, for every role that this installation serves."""

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.colours import UnreadableColourError, derive_palette

ONLY = 1  # the one row's key


def validate_accent(value: str) -> None:
    """Refuses what is no colour, or cannot be read by everybody."""
    try:
        derive_palette(value)
    except UnreadableColourError as error:
        raise ValidationError(str(error)) from None


class Appearance(models.Model):
    """One row at most; what is empty is as the settings say. The pictures are PNGs of our own making."""

    name = models.CharField(
        _("product name"),
        max_length=40,
        blank=True,
        # Names stand in headers of mails and beside other words.
        validators=[RegexValidator(r"^[^\x00-\x1f\x7f<>\"\\\u200b-\u200f\u202a-\u202e\u2066-\u2069]*$")],
        help_text=_("On pages, in mails and where the product is installed on a phone."),
    )
    accent = models.CharField(
        _("accent colour"),
        max_length=7,
        blank=True,
        validators=[validate_accent],
        help_text=_(
            "# and six hexadecimal digits: buttons, links and marks. What the dark theme needs is made from it."
        ),
    )
    logo = models.BinaryField(null=True, editable=False)
    icon = models.BinaryField(null=True, editable=False)
    checksum = models.CharField(max_length=64, blank=True, editable=False)  # SHA-256 of the logo, in hexadecimal
    updated = models.DateTimeField(_("last changed"), auto_now=True)

    class Meta:
        verbose_name = _("name, logo and colour")
        verbose_name_plural = _("name, logo and colour")

    def __str__(self) -> str:
        return str(_("Name, logo and colour"))
