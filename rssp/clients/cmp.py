"""How messages of the Certificate Management Protocol travel (RFC 6712): one POST each, bounded in time and size."""

import logging

import httpx
from django.conf import settings

from rssp.clients.http import client_for
from rssp.errors import IssuerUnavailableError

log = logging.getLogger(__name__)

_MEDIA_TYPE = "application/pkixcmp"
# A chain of certificates with room to spare.
LONGEST_ANSWER = 256 * 1024


def post_message(message: bytes) -> bytes:
    """The answer's DER from the authority at ``CMP_URL``. Raises `IssuerUnavailableError`."""
    address = settings.CMP_URL
    # Servers in the field take the end of a kept connection for the end of the transaction.
    headers = {"Content-Type": _MEDIA_TYPE, "Accept": _MEDIA_TYPE, "Connection": "close"}
    try:
        with client_for(address).stream("POST", address, content=message, headers=headers) as response:
            answer = b"".join(_bounded(response))
    except httpx.HTTPError as error:
        log.error("the authority at CMP_URL is not reached: %s", type(error).__name__)
        raise IssuerUnavailableError("the authority is not reached") from None
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code != httpx.codes.OK or media_type != _MEDIA_TYPE:
        log.error("the authority at CMP_URL answered %s %s", response.status_code, media_type[:64])
        raise IssuerUnavailableError("the authority does not answer as it should")
    return answer


def _bounded(response: httpx.Response) -> list[bytes]:
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > LONGEST_ANSWER:
            raise IssuerUnavailableError("the authority's answer is too long")
        chunks.append(chunk)
    return chunks
