"""``manage.py begin_epoch``: part of restoring rssp's database or token from a backup."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rssp.errors import HsmError
from rssp.services.epochs import begin_epoch


class Command(BaseCommand):
    help = (
        "Ends every authorisation made before now, so that a restored ledger revives nothing. Run it after a restore, "
        "before the service starts."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            epoch = begin_epoch()
        except HsmError as error:
            raise CommandError(f"No epoch was begun: {error}. The service must not start.") from error
        self.stdout.write(f"restore epoch {epoch.number}: what was authorised before is dead.")
