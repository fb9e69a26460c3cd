"""``manage.py import_root_crl``: the revocation list of a root whose key is elsewhere, to be published here."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.services.root_lists import import_root_list


class Command(BaseCommand):
    help = "Verifies the list of sign_root_crl and publishes it; an issuing authority that is on it issues no more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--crl", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            kept = import_root_list(encoded=options["crl"].read_bytes())
        except (RsspError, OSError) as error:
            raise CommandError(f"Nothing was imported: {error}.") from error
        self.stdout.write(f"number {kept.number}, {kept.entries} entries, until {kept.next_update:%Y-%m-%dT%H:%M:%SZ}")
