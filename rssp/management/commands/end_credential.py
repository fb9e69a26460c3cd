"""``manage.py end_credential``: revokes a credential's certificate and destroys its key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import CredentialError, DecisionError
from rssp.models import Credential, CredentialEnd
from rssp.services.lifecycle import end_credential
from rssp.services.operating import CONSOLE


class Command(BaseCommand):
    help = (
        "Ends a credential for good. Where two operators are needed (FOUR_EYES), the console is one of them: it "
        "proposes, or it confirms what somebody proposed in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("credential_id")
        parser.add_argument("--code", choices=CredentialEnd.Code.values, required=True, help="RFC 5280, 5.3.1")
        parser.add_argument("--reason", required=True, help="in your words, for the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        credential = Credential.objects.filter(credential_id=options["credential_id"]).first()
        if credential is None:
            raise CommandError("There is no such credential.")
        try:
            end = end_credential(credential=credential, code=options["code"], text=options["reason"], operator=CONSOLE)
        except (CredentialError, DecisionError) as error:
            raise CommandError(f"Nothing has changed: {error}.") from error
        self.stdout.write("ended" if end.confirmed else "proposed; a second operator confirms it")
