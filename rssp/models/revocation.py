"""What is published about certificates' status: revocation lists by scope, and signed answers about one certificate."""

from django.db import models

from rssp.models.certificates import Certificate


class RevocationScope(models.Model):
    """What one list is about: an authority's certificates of one partition (RFC 5280, 5.2.5).

    ``changes`` counts changes of status in the scope, in the transaction of each. ``number`` is the last CRL number
    that a process took; a process that took one has until ``taken_until`` to publish a list.
    """

    issuer = models.ForeignKey(Certificate, models.PROTECT, related_name="scopes")
    partition = models.PositiveIntegerField()
    changes = models.PositiveBigIntegerField(default=0)
    number = models.PositiveBigIntegerField(default=0)
    taken_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "partition"], name="rssp_revocation_scope")]

    def __str__(self) -> str:
        return f"{self.issuer_id}, partition {self.partition}"


class RevocationList(models.Model):
    """One list that was published. Only the latest of a scope keeps its content; of the others remains what they were.

    ``changes`` is the scope's count before the entries were read: everything up to it is on the list.
    """

    scope = models.ForeignKey(RevocationScope, models.PROTECT, related_name="lists")
    number = models.PositiveBigIntegerField()
    changes = models.PositiveBigIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()
    entries = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    der = models.BinaryField(default=b"")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "number"], name="rssp_revocation_list_number")]

    def __str__(self) -> str:
        return f"number {self.number} of scope {self.scope_id}"


class StatusAnswer(models.Model):
    """A signed OCSP answer without a nonce, about the certificate as it was at ``status_version``: another status makes
    it worthless by itself."""

    asked = models.CharField(max_length=64, unique=True)  # SHA-256 of the CertID
    certificate = models.ForeignKey(Certificate, models.CASCADE, related_name="answers")
    status_version = models.PositiveIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField(db_index=True)
    der = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.certificate_id}, version {self.status_version}"
