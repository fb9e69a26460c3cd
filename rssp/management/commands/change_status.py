"""``manage.py change_status``: revokes, suspends or resumes one certificate."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.models import Certificate
from rssp.services import operating

_CODES = sorted(set(Certificate.Reason.values) - {Certificate.Reason.CERTIFICATE_HOLD})


class Command(BaseCommand):
    help = "Revokes, suspends or resumes a certificate. CRL and OCSP say so within a minute."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("serial_number", help="hexadecimal, as the administration shows it")
        parser.add_argument("act", choices=["revoke", "suspend", "resume"])
        parser.add_argument("--code", choices=_CODES, help="why it is revoked, as everybody is told (RFC 5280, 5.3.1)")
        parser.add_argument("--reason", required=True, help="for the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Certificate.objects.filter(serial_number=options["serial_number"].lower().lstrip("0"))
        if len(found) != 1:
            raise CommandError("There is no such certificate, or several issuers have one.")
        certificate = found[0]
        told = {"certificate": certificate, "reason": options["reason"], "operator": operating.CONSOLE}
        if options["act"] == "revoke":
            if options["code"] is None:
                raise CommandError("Say with --code why it is revoked.")
            changed = operating.revoke(reason_code=options["code"], **told)
        else:
            changed = {"suspend": operating.suspend, "resume": operating.resume}[options["act"]](**told)
        if not changed:
            raise CommandError(f"It is {certificate.status}: nothing changed.")
        self.stdout.write(f"{certificate.serial_number}: {certificate.status}")
