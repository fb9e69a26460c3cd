"""``manage.py renew_issuing_authority``: the issuing authority's next generation, below the root in this token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rssp.errors import RsspError
from rssp.services.authority import renew_issuing_authority


class Command(BaseCommand):
    help = (
        "Makes a new issuing key and certificate: from now on it issues, and the older one goes on with its CRLs and "
        "OCSP until it ends. With the root's key elsewhere use request_issuing_certificate."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            certificate = renew_issuing_authority()
        except RsspError as error:
            raise CommandError(f"Nothing was renewed: {error}.") from error
        self.stdout.write(f"{certificate.published_name}: {certificate.subject}")
