"""``manage.py prepare_authority``: the certification authority's keys and certificates."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rssp.errors import HsmError
from rssp.services.authority import prepare_authority
from rssp.services.epochs import prepare_epoch


class Command(BaseCommand):
    help = "Makes the root and the issuing authority in the HSM, if there are none. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepare_epoch()
            certificates = prepare_authority()
        except HsmError as error:
            raise CommandError(f"The authority cannot be prepared: {error}.") from error
        for certificate in certificates:
            self.stdout.write(f"{certificate.role}: {certificate.subject}")
