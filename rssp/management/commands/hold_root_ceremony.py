"""``manage.py hold_root_ceremony``: the root's key and certificate, and a record for the operators to sign."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.errors import RsspError
from rssp.services.ceremony import hold_root_ceremony


class Command(BaseCommand):
    help = (
        "Makes the root in this installation's token, which may be kept off-line, and writes root.cer and record.txt "
        "into a folder. Safe to run again: the root that is there stays, and a new record says so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--operator", action="append", required=True, help="Who is present; at least two.")
        parser.add_argument("--output", type=Path, required=True, help="The folder for the certificate and record.")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["output"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            root, record = hold_root_ceremony(operators=options["operator"], commands=[" ".join(sys.argv)])
            number = len(list(folder.glob("record*.txt"))) + 1
            (folder / "root.cer").write_bytes(bytes(root.der))
            with (folder / ("record.txt" if number == 1 else f"record-{number}.txt")).open("x") as file:
                file.write(record)
        except (RsspError, OSError) as error:
            raise CommandError(f"There is no ceremony: {error}.") from error
        self.stdout.write(record)
