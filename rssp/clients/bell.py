"""From a worker of this role to a web process of this role, which has the token."""

from urllib.parse import urlsplit

import httpx

from rssp.clients.http import client_for
from rssp.errors import BellRefusedError


def ring(address: str, *, proof: str) -> None:
    """Raises `BellRefusedError` if nobody answers, or answers anything but that it is done."""
    parts = urlsplit(address)
    try:
        answer = client_for(f"{parts.scheme}://{parts.netloc}").post(
            address, headers={"Authorization": f"Bell {proof}"}
        )
    except httpx.TransportError as error:
        raise BellRefusedError(f"nobody answers ({type(error).__name__})") from error
    if answer.status_code != 200:
        raise BellRefusedError(f"the answer is {answer.status_code}")
