"""Which list a certificate belongs to. A certificate names its list when it is issued, so its partition never changes.

A list holds at most as many certificates as a partition, which bounds what relying parties fetch.
"""

from django.conf import settings
from django.db.models import Max

from rssp.models import Certificate, RevocationScope


def assign_partition(*, issuer: Certificate) -> int:
    """The partition of the next certificate that ``issuer`` signs: the latest one until it is full. Two at once may
    fill it a little beyond. In the caller's transaction."""
    issued = Certificate.objects.filter(issuer=issuer)
    partition: int = issued.aggregate(latest=Max("partition"))["latest"] or 0
    if issued.filter(partition=partition).count() >= settings.CRL_PARTITION_SIZE:
        partition += 1
    RevocationScope.objects.get_or_create(issuer=issuer, partition=partition)
    return partition


def list_path(issuer: Certificate, partition: int) -> str:
    """``issuing.crl``; ``issuing/1.crl`` and so on from the second partition on."""
    return f"{issuer.published_name}/{partition}.crl" if partition else f"{issuer.published_name}.crl"


def list_address(issuer: Certificate, partition: int) -> str:
    """Where the list is, as certificates and the list itself name it."""
    return f"{settings.RSSP_PKI_URL}/{list_path(issuer, partition)}"
