"""What rows of several kinds share."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


def retention_end() -> datetime:
    """When what is made now is purged."""
    end: datetime = timezone.now() + settings.JOB_RETENTION
    return end


class ChangingQuerySet(models.QuerySet[Any]):
    """Rows that change by conditional UPDATE alone: who changed none lost a race."""

    def change(self, **values: Any) -> bool:
        """Whether a row still met the conditions and took the values."""
        return self.update(updated_at=timezone.now(), **values) > 0
