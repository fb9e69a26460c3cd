"""Counters of failed and costly attempts."""

from django.db import models


class Throttle(models.Model):
    """Attempts under one key (a checksum of what is counted) since the window opened."""

    key = models.CharField(max_length=64, unique=True)
    attempts = models.PositiveIntegerField(default=0)
    opened = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["opened"])]

    def __str__(self) -> str:
        return f"{self.attempts} since {self.opened:%H:%M}"
