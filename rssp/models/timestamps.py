"""Which time-stamps were issued. A row is there before the key is asked, so there is no token without a row."""

from django.db import models


class Timestamp(models.Model):
    """One token. Rows go when their retention ends; `TimestampTally` keeps the count."""

    serial_number = models.CharField(max_length=40, unique=True)  # hexadecimal
    generated = models.DateTimeField()  # genTime
    policy = models.CharField(max_length=128)
    hash_algorithm_oid = models.CharField(max_length=64)
    imprint = models.CharField(max_length=128)  # hexadecimal
    client_id = models.CharField(max_length=255, default="", blank=True)  # empty: the open endpoint
    address = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["generated"], name="rssp_timestamp_generated")]

    def __str__(self) -> str:
        return self.serial_number


class TimestampTally(models.Model):
    """One row: the latest time that any token states, and how many there were. No token goes back behind it."""

    latest = models.DateTimeField()
    issued = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.issued}, the latest {self.latest.isoformat()}"
