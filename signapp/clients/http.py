"""One HTTP client an address, kept with its connections; made anew in a forked process or under another transport."""

import os
from functools import lru_cache

import httpx
from django.conf import settings
from django.utils.module_loading import import_string


def client_for(address: str) -> httpx.Client:
    """The client for ``address``, over the transport that the settings name."""
    return _client(address, settings.CLIENT_TRANSPORT, settings.CLIENT_TIMEOUT_SECONDS, os.getpid())


@lru_cache(maxsize=16)
def _client(address: str, transport: str, timeout: float, _process: int) -> httpx.Client:
    return httpx.Client(
        transport=import_string(transport)(address), timeout=timeout, trust_env=False, follow_redirects=False
    )
