"""``manage.py sign_root_crl``: where the root's key is, its revocation list as a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.services.revocation_lists import read_content
from rssp.services.root_lists import sign_root_list


class Command(BaseCommand):
    help = "Writes the root's revocation list (DER), made now unless one is fresh, for import_root_crl elsewhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = sign_root_list()
            options["output"].write_bytes(bytes(read_content(made).der))
        except (RsspError, OSError) as error:
            raise CommandError(f"There is no list: {error}.") from error
        self.stdout.write(f"number {made.number}, {made.entries} entries, until {made.next_update:%Y-%m-%dT%H:%M:%SZ}")
