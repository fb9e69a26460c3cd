"""``manage.py create_operator``: invites an operator by a one-time link."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from authz.errors import AuthzError
from authz.services.accounts import INVITATION_LIFETIME, invite_operator


class Command(BaseCommand):
    help = "Creates an operator without password or passkey, and prints the link under which both are set, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default="")
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"] or input("E-mail address: ")
        name = options["name"] or input("Name: ")
        if "@" not in email or not name.strip():
            raise CommandError("An e-mail address and a name are needed.")
        try:
            secret = invite_operator(email=email, name=name)
        except AuthzError as error:
            raise CommandError(str(error)) from None
        hours = int(INVITATION_LIFETIME.total_seconds() // 3600)
        self.stderr.write(f"Open this link within {hours} hours. It works once.")
        self.stdout.write(f"{settings.ISSUER}/invitations/{secret}")
