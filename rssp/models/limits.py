"""What is counted for all processes together."""

from django.db import models


class RateLimit(models.Model):
    """One caller of one limit; ``moment`` is when nothing of theirs will be used any more, and the row can go."""

    key = models.CharField(max_length=128, primary_key=True)
    moment = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
