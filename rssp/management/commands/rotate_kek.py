"""``manage.py rotate_kek``: another key-encryption key in the token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import HsmError
from rssp.services.rotating import rotate_kek


class Command(BaseCommand):
    help = (
        "Makes a new key-encryption key, wraps every signer's key by it and destroys the old one. Signing goes on "
        "meanwhile. Run it again after an interruption, and it goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=100, help="How many keys are read at a time.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("A batch has at least one key.")
        try:
            done = rotate_kek(batch=options["batch"])
        except HsmError as error:
            raise CommandError(f"The rotation stopped: {error}. Run it again, and it goes on where it was.") from error
        self.stdout.write(f"{'rotated' if done.begun else 'rotation continued'}: {done.rewrapped} keys wrapped again")
        self.stdout.write(f"old keys destroyed: {done.destroyed}")
