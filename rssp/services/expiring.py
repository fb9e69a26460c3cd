"""Certificates whose end comes near: a list, and a mail to the operators once a day."""

from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import QuerySet
from django.utils import timezone

from rssp.models import Certificate, Credential


def list_expiring(*, within: timedelta) -> QuerySet[Credential]:
    """Credentials that can sign now, and whose certificates end within that time; the nearest end first."""
    now = timezone.now()
    rows = Credential.objects.filter(
        status=Credential.Status.ENABLED,
        one_time=None,
        certificate__status=Certificate.Status.VALID,
        certificate__not_after__gt=now,
        certificate__not_after__lte=now + within,
    )
    return rows.select_related("certificate").order_by("certificate__not_after", "pk")


def warn_operators() -> int:
    """Mails the list to ``OPERATOR_ADDRESSES``; how many credentials it names. No mail without any, or without an
    address."""
    found = list(list_expiring(within=timedelta(days=settings.EXPIRY_WARNING_DAYS)))
    if found and settings.OPERATOR_ADDRESSES:
        send_mail(
            f"{settings.RSSP_NAME}: {len(found)} certificates end within {settings.EXPIRY_WARNING_DAYS} days",
            "\n".join(describe_expiry(row) for row in found),
            None,
            settings.OPERATOR_ADDRESSES,
        )
    return len(found)


def describe_expiry(credential: Credential) -> str:
    """One line. The owner is named by the subject identifier alone, the certificate by its number."""
    ends = credential.certificate.not_after
    return f"{ends:%Y-%m-%d %H:%M} UTC  {credential.credential_id}  {credential.certificate.serial_number}"
