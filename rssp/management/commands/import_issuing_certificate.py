"""``manage.py import_issuing_certificate``: the root's certificate and the one that it made for the key here."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.services.ceremony import import_issuing_certificate


class Command(BaseCommand):
    help = "Takes the certificate of sign_issuing_certificate into use, after verifying chain, profiles and key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--root", type=Path, required=True)
        parser.add_argument("--certificate", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            certificate = import_issuing_certificate(
                root=options["root"].read_bytes(), certificate=options["certificate"].read_bytes()
            )
        except (RsspError, OSError) as error:
            raise CommandError(f"Nothing was imported: {error}.") from error
        self.stdout.write(f"{certificate.published_name}: {certificate.subject}")
