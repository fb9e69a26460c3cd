"""``manage.py clear_expired``: removes what nothing can be done with any more."""

from typing import Any

from django.core.management.base import BaseCommand

from authz.services.throttling import clear_throttles
from authz.services.tokens import clear_expired


class Command(BaseCommand):
    help = "Removes expired tokens, codes, sessions and counters. Consents that were answered stay: they are evidence."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{clear_expired() + clear_throttles()} rows removed")
