"""Proofs of possession that were used."""

from django.db import models


class UsedProof(models.Model):
    """A DPoP proof that was taken (RFC 9449, section 11.1): its unique checksum lets one of parallel calls through."""

    checksum = models.CharField(max_length=64, primary_key=True)
    used = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"Used {self.used:%H:%M}"
