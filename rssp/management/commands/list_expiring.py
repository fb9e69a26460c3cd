"""``manage.py list_expiring``: credentials whose certificates end soon."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from rssp.services.expiring import describe_expiry, list_expiring, warn_operators


class Command(BaseCommand):
    help = "Lists credentials that can sign now and whose certificates end soon: when, which, serial number."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=settings.EXPIRY_WARNING_DAYS)
        parser.add_argument("--mail", action="store_true", help="mail the warning to OPERATOR_ADDRESSES too")

    def handle(self, *args: Any, **options: Any) -> None:
        for credential in list_expiring(within=timedelta(days=options["days"])):
            self.stdout.write(describe_expiry(credential))
        if options["mail"]:
            warn_operators()
