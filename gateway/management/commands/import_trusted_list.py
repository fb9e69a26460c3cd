"""``manage.py import_trusted_list FILE|URL --signer-cert PEM``: the granted services of a trusted list as anchors."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.clients.trusted_lists import fetch_trusted_list
from gateway.errors import TrustError
from gateway.services.trust import configured_signers, import_trusted_list


class Command(BaseCommand):
    help = (
        "Imports a trusted list (ETSI TS 119 612) whose signature verifies with one of the certificates given, in the "
        "place of the territory's last one. Where anything is wrong, nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", help="a file, or an https:// address")
        parser.add_argument(
            "--signer-cert",
            action="append",
            default=[],
            type=Path,
            help="PEM file with certificates of the scheme operator (TRUSTED_LIST_SIGNERS_FILE); may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = str(options["source"])
        try:
            signers = [der for path in options["signer_cert"] for der in _read_certificates(path)]
            signers = signers or configured_signers()
            xml = fetch_trusted_list(url=source) if "://" in source else Path(source).read_bytes()
            imported = import_trusted_list(xml=xml, signers=signers, source=source, operator="console")
        except (TrustError, OSError) as error:
            raise CommandError(f"Nothing was imported: {error}") from None
        self.stdout.write(
            f"{imported.territory}, number {imported.sequence_number} by {imported.operator}: "
            f"{imported.anchors.count()} anchors until {imported.next_update:%Y-%m-%d}."
        )


def _read_certificates(path: Path) -> list[bytes]:
    try:
        return [each.public_bytes(Encoding.DER) for each in load_pem_x509_certificates(path.read_bytes())]
    except ValueError:
        raise CommandError(f"Nothing was imported: {path.name} holds no PEM certificate.") from None
