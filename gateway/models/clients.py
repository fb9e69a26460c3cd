"""Clients of others: what each may do here without a person."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ClientPolicy(models.Model):
    """What an operator allows a client that is registered at the authorization server. A client without one gets
    nothing with a token of its own; with its users' tokens it does what they may."""

    client_id = models.CharField(_("client"), max_length=255, unique=True)
    note = models.CharField(_("note"), max_length=200, default="", blank=True)
    active = models.BooleanField(_("active"), default=True)
    may_seal = models.BooleanField(
        _("may seal"),
        default=False,
        help_text=_("With the seals of this owner, where the signing service agrees."),
    )
    seal_owner = models.CharField(
        _("owner of the seals (userID)"), max_length=255, default="", blank=True, help_text=_("A user's subject.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("client's policy")
        verbose_name_plural = _("clients' policies")

    def __str__(self) -> str:
        return str(self.client_id)
