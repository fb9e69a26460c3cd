"""``manage.py create_external_credential``: a credential that tokens of another OpenID provider open.

manage.py create_external_credential --subject 6f1c… --common-name "Alice Example" --reason "asked for by letter"
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.algorithms import KEY_ALGORITHMS
from rssp.errors import RsspError
from rssp.services.creating_external import create_external_credential
from rssp.services.operating import CONSOLE


class Command(BaseCommand):
    help = (
        "Makes a credential for a user of the provider that EXTERNAL_ISSUER names. SCAL 1: whoever holds one of the "
        "user's tokens of scope credential chooses what is signed with it, once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--subject", required=True, help="The user's sub at the provider.")
        parser.add_argument("--common-name", required=True)
        parser.add_argument("--certificate-policy", default="demonstration")
        parser.add_argument("--key-algorithm", choices=list(KEY_ALGORITHMS), default="ec-p256")
        parser.add_argument("--reason", required=True, help="Kept in the audit.")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("subject", "common_name", "certificate_policy", "key_algorithm", "reason")
        try:
            made = create_external_credential(**{name: options[name] for name in names}, operator=CONSOLE)
        except RsspError as error:
            raise CommandError(f"No credential was made: {error}") from error
        self.stdout.write(made.credential_id)
