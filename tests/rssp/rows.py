"""Certificates as rows alone, for what only counts them."""

from datetime import timedelta

from cryptography import x509
from django.utils import timezone

from rssp.models import Certificate


def add_certificates(issuer: Certificate, count: int, *, partition: int = 0) -> list[Certificate]:
    """Rows without signatures, for lists alone."""
    now = timezone.now()
    rows = [
        Certificate(
            serial_number=f"{x509.random_serial_number():x}",
            role="signer",
            profile="demonstration",
            state="issued",
            issuer=issuer,
            partition=partition,
            subject="CN=Somebody",
            not_before=now,
            not_after=now + timedelta(days=1),
        )
        for _ in range(count)
    ]
    return Certificate.objects.bulk_create(rows)
