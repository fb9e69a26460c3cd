"""This role's weak settings, as numbered messages of ``manage.py check``."""

from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)

# EN 319 142-1, 6; in `gateway.pades.levels` too, which stands above this module.
LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
_LARGEST_MEASURED = 500_000_000


@register(Tags.security)
def check_document_keys(**_kwargs: Any) -> list[CheckMessage]:
    """``gateway.E001``: a document key is not a Fernet key."""
    for key in settings.GATEWAY_DOCUMENT_KEYS:
        try:
            Fernet(key)
        except ValueError:
            return [Error("GATEWAY_DOCUMENT_KEYS holds something that is not a Fernet key.", id="gateway.E001")]
    return []


@register(Tags.security)
def check_limits(**_kwargs: Any) -> list[CheckMessage]:
    """``gateway.E002`` trust anchors or list signers that cannot be read; ``gateway.W001`` documents so large that
    reading them may be refused as hostile; ``gateway.E003`` a level that there is not; ``gateway.W002`` no fonts."""
    found: list[CheckMessage] = [
        Error(f"{name} names no file.", id="gateway.E002")
        for name in ("TRUST_ANCHORS_FILE", "TRUSTED_LIST_SIGNERS_FILE")
        if (path := getattr(settings, name)) and not Path(path).is_file()
    ]
    if settings.SIGNATURE_LEVEL not in LEVELS:
        found.append(Error(f"SIGNATURE_LEVEL must be one of {', '.join(LEVELS)}.", id="gateway.E003"))
    if not any(Path(folder).is_dir() for folder in settings.SIGNATURE_FONT_FOLDERS):
        found.append(
            Warning("No folder of SIGNATURE_FONT_FOLDERS exists: visible signatures with text fail.", id="gateway.W002")
        )
    if settings.MAX_DOCUMENT_BYTES > _LARGEST_MEASURED:
        found.append(Warning("MAX_DOCUMENT_BYTES is above 500 MB, and reading has 1 GiB of memory.", id="gateway.W001"))
    return found
