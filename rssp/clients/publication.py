"""Asking this service's own web process for what it publishes, from processes that cannot open the HSM."""

import logging

import httpx

from rssp.clients.http import client_for

log = logging.getLogger(__name__)


def request_publication(address: str) -> bool:
    """Whether the web process answered that it has it; the content is not fetched."""
    try:
        response = client_for(address).head(address)
    except httpx.TransportError as error:
        log.warning("%s is not reached (%s)", address, type(error).__name__)
        return False
    if response.status_code != httpx.codes.OK:
        log.warning("%s answered %s", address, response.status_code)
    return response.status_code == httpx.codes.OK
