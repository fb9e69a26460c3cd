"""``manage.py create_explicit_credential``: a credential that a PIN and one-time passwords open. Weaker than a passkey.

    manage.py create_explicit_credential --subject 6f1c… --common-name "Alice Example" --email alice@example.org \\
        --key-algorithm ec-p256 --pin-file pin --reason "asked for by letter"
"""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rssp.algorithms import KEY_ALGORITHMS
from rssp.errors import RsspError
from rssp.services.creating_explicit import DEFAULT_MULTISIGN, create_explicit_credential
from rssp.services.explicit import NewObject
from rssp.services.operating import CONSOLE


class Command(BaseCommand):
    help = (
        "Makes a credential in explicit mode (CSC API, 8.2): weaker than one that a passkey opens. Secrets come from "
        "files that only their owner may read, or from standard input ('-'). The objects are named PIN, OTP, MAIL, "
        "OCRA and Passkey."
    )

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Without abbreviations: ``--pin 1234`` is an error, and no file's name."""
        return super().create_parser(prog_name, subcommand, allow_abbrev=False, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--subject", required=True, help="The user's identifier at the authorization server.")
        parser.add_argument("--common-name", required=True)
        parser.add_argument("--email", default="", help="For one-time passwords; the certificate does not carry it.")
        parser.add_argument("--certificate-policy", default="demonstration")
        parser.add_argument("--key-algorithm", choices=list(KEY_ALGORITHMS), default="ec-p256")
        parser.add_argument("--pin-file", help="6 to 64 characters.")
        parser.add_argument("--totp-file", help="A device's secret for passwords by the clock, in base32.")
        parser.add_argument("--ocra-file", help="A device's secret for challenges, OCRA-1:HOTP-SHA1-6:QN08, base32.")
        parser.add_argument("--email-otp", action="store_true", help="One-time passwords are sent to --email.")
        parser.add_argument("--passkey", action="store_true", help="The user's passkey is asked for out of band.")
        parser.add_argument("--implicit", action="store_true", help="The passkey alone; clients collect nothing.")
        parser.add_argument("--expression", default="", help="With AND, OR, XOR and parentheses; absent: all of them.")
        parser.add_argument("--scal", choices=["1", "2"], default="2", help="2: a SAD is bound to its hashes.")
        parser.add_argument("--multisign", type=int, default=DEFAULT_MULTISIGN)
        parser.add_argument("--reason", required=True, help="Kept in the audit.")

    def handle(self, *args: Any, **options: Any) -> None:
        objects = [
            NewObject(name, kind, _read_secret(options[option]))
            for name, kind, option in (
                ("PIN", "pin", "pin_file"),
                ("OTP", "totp", "totp_file"),
                ("OCRA", "ocra", "ocra_file"),
            )
            if options[option]
        ]
        if options["email_otp"]:
            objects.append(NewObject("MAIL", "email", options["email"]))
        if options["passkey"] or options["implicit"]:
            objects.append(NewObject("Passkey", "passkey"))
        names = ("subject", "common_name", "certificate_policy", "key_algorithm", "expression", "scal")
        try:
            made = create_explicit_credential(
                **{name: options[name] for name in names},
                multisign=options["multisign"],
                objects=objects,
                is_implicit=options["implicit"],
                reason=options["reason"],
                operator=CONSOLE,
            )
        except RsspError as error:
            raise CommandError(f"No credential was made: {error}") from error
        self.stdout.write(made.credential_id)


def _read_secret(name: str) -> str:
    """No message repeats the name: somebody may have given the secret itself."""
    if name == "-":
        return sys.stdin.readline().rstrip("\r\n")
    path = Path(name)
    try:
        if path.is_file() and path.stat().st_mode & 0o077:
            raise CommandError("A secret's file can be read by others: chmod 600 it, and change what it holds.")
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise CommandError(f"A secret's file cannot be read: {type(error).__name__}.") from None
