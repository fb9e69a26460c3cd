"""``manage.py prepare_token``: a SoftHSM token for development."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rssp.errors import HsmError
from rssp.hsm.softhsm import ensure_token


class Command(BaseCommand):
    help = "Makes SoftHSM's token for development, if there is none. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError(
                "prepare_token makes a SoftHSM token, and this is production: initialise a token of your HSM with its "
                "own tools, and set PKCS11_MODULE, PKCS11_TOKEN_LABEL and PKCS11_PIN_FILE."
            )
        try:
            made = ensure_token(
                directory=settings.SOFTHSM2_DIR,
                configuration=Path(settings.SOFTHSM2_DIR / "softhsm2.conf"),
                label=settings.PKCS11_TOKEN_LABEL,
                pin=settings.PKCS11_PIN,
                module=settings.PKCS11_MODULE,
            )
        except HsmError as error:
            raise CommandError(f"No token: {error}.") from error
        self.stdout.write(f"token {settings.PKCS11_TOKEN_LABEL}: {'made' if made else 'ready'}")
