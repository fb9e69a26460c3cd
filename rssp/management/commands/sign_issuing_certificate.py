"""``manage.py sign_issuing_certificate``: where the root's key is, a certificate for an issuing authority elsewhere."""

import hashlib
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.services.ceremony import sign_issuing_certificate


class Command(BaseCommand):
    help = "Signs the request of request_issuing_certificate with the root's key, in the token of this installation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--request", type=Path, required=True)
        parser.add_argument("--output", type=Path, required=True, help="The new file for the certificate.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["output"].exists():
                raise CommandError(f"{options['output']} exists.")
            certificate = sign_issuing_certificate(request=options["request"].read_bytes())
            options["output"].write_bytes(bytes(certificate.der))
        except (RsspError, OSError) as error:
            raise CommandError(f"Nothing was signed, or not written: {error}.") from error
        self.stdout.write(f"{certificate.subject}\nSHA-256 {hashlib.sha256(bytes(certificate.der)).hexdigest()}")
