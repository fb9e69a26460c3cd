"""``manage.py import_certificate``: what an outside authority issued for an exported request."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import AuthorityError, CreationFailedError, DecisionError
from rssp.models import CertificateRequest
from rssp.services.issuing import import_certificate
from rssp.services.operating import CONSOLE


class Command(BaseCommand):
    help = (
        "Gives a credential the certificate in FILE (PEM or DER; its chain may follow it), if it is the one asked for."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("credential_id")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        request = CertificateRequest.objects.filter(credential_id=options["credential_id"]).first()
        if request is None:
            raise CommandError("There is no such request.")
        try:
            import_certificate(request=request, data=options["file"].read_bytes(), operator=CONSOLE)
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from error
        except (DecisionError, AuthorityError, CreationFailedError) as error:
            raise CommandError(f"Nothing is imported: {error}.") from error
        self.stdout.write(f"{request.credential_id} has its certificate")
