"""``manage.py export_csr``: an approved request for an outside authority."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import AuthorityError, DecisionError, HsmError
from rssp.models import CertificateRequest
from rssp.services.issuing import export_request
from rssp.services.operating import CONSOLE


class Command(BaseCommand):
    help = "Writes the PKCS#10 of an approved request for a certificate, PEM, signed by its key in the HSM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("credential_id")

    def handle(self, *args: Any, **options: Any) -> None:
        request = CertificateRequest.objects.filter(credential_id=options["credential_id"]).first()
        if request is None:
            raise CommandError("There is no such request.")
        try:
            der = export_request(request=request, operator=CONSOLE)
        except (DecisionError, AuthorityError, HsmError) as error:
            raise CommandError(f"Nothing is exported: {error}.") from error
        self.stdout.write(x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode(), ending="")
