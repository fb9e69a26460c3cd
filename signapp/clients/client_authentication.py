"""Who this role is to the authorization server."""

from urllib.parse import quote_plus

import httpx
from django.conf import settings


def own_credentials() -> httpx.BasicAuth:
    """This role's client authentication (RFC 6749, 2.3.1: both halves form-encoded)."""
    return httpx.BasicAuth(quote_plus(settings.SIGNAPP_CLIENT_ID), quote_plus(settings.SIGNAPP_CLIENT_SECRET))
