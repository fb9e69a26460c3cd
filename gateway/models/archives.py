"""Documents that are kept signed for longer than any certificate lasts."""

import uuid

from django.db import models
from django.utils import timezone

from gateway.models.documents import StoredDocument
from gateway.models.rows import ChangingQuerySet


class Archive(models.Model):
    """A document of level B-LTA, renewed before its last proof ends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    document = models.OneToOneField(StoredDocument, models.DO_NOTHING, related_name="+")
    # What its chains end in, beside the anchors of the settings and of operators: base64 DER.
    roots = models.JSONField(default=list)
    signatures = models.PositiveIntegerField()
    lasts_until = models.DateTimeField()
    # When it is looked at next. Whoever renews moves this first, so that two do not.
    next_renewal_at = models.DateTimeField()
    renewals = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, default="", blank=True)
    client_id = models.CharField(max_length=255, default="", blank=True)
    # The renewal that the client was told of last; null where nobody is told (services/announcing.py).
    announced = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChangingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_renewal_at"], name="gateway_archive_renewal"),
            models.Index(fields=["issuer", "subject"], name="gateway_archive_owner"),
        ]

    def __str__(self) -> str:
        return str(self.id)
