"""``manage.py request_issuing_certificate``: a new issuing key here, and its request for the root elsewhere."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.services.ceremony import request_issuing_certificate


class Command(BaseCommand):
    help = (
        "Makes an issuing key in this installation's token and writes its certification request (PKCS#10, DER) for "
        "sign_issuing_certificate, where the root is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, required=True, help="The new file for the request.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["output"].exists():
                raise CommandError(f"{options['output']} exists.")
            options["output"].write_bytes(request_issuing_certificate())
        except (RsspError, OSError) as error:
            raise CommandError(f"There is no request: {error}.") from error
        self.stdout.write(f"request written to {options['output']}")
