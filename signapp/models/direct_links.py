"""Addresses under which anybody may ask for an envelope that is made of a template."""

import uuid

from django.db import models
from django.utils import timezone

from signapp.models.envelopes import Envelope


class DirectLink(models.Model):
    """A template's public address. Its secret is no secret: whoever made it publishes it, and must find it again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.OneToOneField(Envelope, models.CASCADE, related_name="direct_link")
    secret = models.CharField(max_length=64, unique=True)
    most_uses = models.PositiveIntegerField()
    created = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class DirectLinkUse(models.Model):
    """One envelope that was asked for, until it is deleted, and the address that its invitation went to."""

    link = models.ForeignKey(DirectLink, models.CASCADE, related_name="uses")
    envelope = models.ForeignKey(Envelope, models.SET_NULL, null=True, related_name="+")
    email = models.EmailField()
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["link", "created"], name="signapp_direct_link_use")]

    def __str__(self) -> str:
        return str(self.pk)
