"""What stays of an envelope that was deleted."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Remains(models.Model):
    """That there was one, when, between which accounts and over which bytes: no name, no address, no word of it and no
    document. Whoever holds a document can be shown, by its SHA-256, that it was signed here.

    ``people``: role, order, state, account, asked_at and acted_at of each; ``documents``: pages, size and SHA-256 as it
    was sent and at last, with each signature's person (a place in ``people``), time and SHA-256; ``events``: time and
    kind. Times are ISO 8601 in UTC.
    """

    class Why(models.TextChoices):
        BIN = "bin", _("everybody had thrown it away")
        AGE = "age", _("it was kept as long as the operator keeps what has ended")
        ACCOUNT = "account", _("the last account that had it was deleted")

    id = models.UUIDField(primary_key=True, editable=False)  # the envelope's
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    state = models.CharField(max_length=16)
    sent_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(default=timezone.now, db_index=True)
    why = models.CharField(max_length=8, choices=Why.choices)
    people = models.JSONField(default=list)
    documents = models.JSONField(default=list)
    events = models.JSONField(default=list)

    class Meta:
        verbose_name = _("deleted envelope")
        verbose_name_plural = _("deleted envelopes")

    def __str__(self) -> str:
        return str(self.id)
