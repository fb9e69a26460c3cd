"""Where each account has put an envelope: the bin is everybody's own, the envelope is shared."""

from django.db import models
from django.utils import timezone

from signapp.models.envelopes import Envelope


class Binned(models.Model):
    """This account threw the envelope away. Until ``is_final`` it can take it back; afterwards it is not theirs any
    more, and with the last of them the envelope itself goes."""

    envelope = models.ForeignKey(Envelope, models.CASCADE, related_name="binned")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    binned_at = models.DateTimeField(default=timezone.now, db_index=True)
    is_final = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["envelope", "issuer", "subject"], name="signapp_binned_once"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
