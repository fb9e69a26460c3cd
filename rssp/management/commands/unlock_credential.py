"""``manage.py unlock_credential``: an explicit credential's factors have all their tries again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.models import Credential
from rssp.services.creating_explicit import unlock_credential
from rssp.services.operating import CONSOLE


class Command(BaseCommand):
    help = "Opens the factors of an explicit credential that too many wrong tries closed, before their time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("credential_id")
        parser.add_argument("--reason", required=True, help="Kept in the audit.")

    def handle(self, *args: Any, **options: Any) -> None:
        credential = Credential.objects.filter(credential_id=options["credential_id"]).first()
        if credential is None:
            raise CommandError("There is no such credential.")
        done = unlock_credential(credential=credential, reason=options["reason"], operator=CONSOLE)
        self.stdout.write("unlocked" if done else "nothing was locked")
