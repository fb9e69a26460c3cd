"""This role's weak settings, as numbered messages of ``manage.py check``."""

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def check_document_keys(**_kwargs: Any) -> list[CheckMessage]:
    """``signapp.E001``: a document key is not a Fernet key."""
    for key in settings.SIGNAPP_DOCUMENT_KEYS:
        try:
            Fernet(key)
        except ValueError:
            return [Error("SIGNAPP_DOCUMENT_KEYS holds something that is not a Fernet key.", id="signapp.E001")]
    return []
