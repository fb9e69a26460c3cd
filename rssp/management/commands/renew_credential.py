"""``manage.py renew_credential``: a newer certificate for a credential."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.models import CertificateRequest, Credential
from rssp.services.issuing import issue_request
from rssp.services.operating import CONSOLE
from rssp.services.renewing import request_renewal


class Command(BaseCommand):
    help = "Gives a credential a newer certificate with what was verified before, for the key it has or for a new one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("credential_id")
        parser.add_argument("--new-key", action="store_true", help="the old key is destroyed, its certificate revoked")
        parser.add_argument("--reason", required=True, help="in your words, for the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        credential = Credential.objects.filter(credential_id=options["credential_id"]).first()
        if credential is None:
            raise CommandError("There is no such credential.")
        try:
            request = request_renewal(
                credential=credential, new_key=options["new_key"], text=options["reason"], operator=CONSOLE
            )
            if request.state == CertificateRequest.State.APPROVED:
                request = issue_request(request=request)
        except RsspError as error:
            raise CommandError(f"It is not renewed: {error}.") from error
        self.stdout.write(str(request.get_state_display()))
