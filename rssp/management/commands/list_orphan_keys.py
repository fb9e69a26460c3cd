"""``manage.py list_orphan_keys``: keys that stand behind nothing."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import HsmError
from rssp.services.operating import destroy_orphan_key, list_orphan_keys


class Command(BaseCommand):
    help = (
        "Lists the ids of keys that no credential, no pool and no authority has: a process died while it made them. "
        "Run it while this service is stopped, or a key that is being made now is called an orphan."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--destroy", action="store_true", help="Destroy them as well; there is no way back.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for key_id in list_orphan_keys():
                if options["destroy"]:
                    destroy_orphan_key(key_id=key_id)
                self.stdout.write(f"{key_id.hex()}{' destroyed' if options['destroy'] else ''}")
        except HsmError as error:
            raise CommandError(f"The HSM's keys cannot be read: {error}.") from error
