"""Calls to addresses that a client named: to the public Internet alone, resolved once, bounded in time and size.

An address is looked at before a packet leaves, and what was looked at is what is called: the name is not resolved
again. Redirects are answers like any other.
"""

from urllib.parse import SplitResult

import httpx

from rssp.clients import pinning
from rssp.errors import OutboundRefusedError, OutboundUnreachableError

SECONDS = 5.0
LONGEST_ANSWER = 64 * 1024


def parse_address(url: str, *, allowed_hosts: tuple[str, ...]) -> SplitResult:
    """An address that may be called, as far as its text tells; raises `OutboundRefusedError`.

    ``https`` alone, but for a host that an operator allowed by name, which may be private and without TLS too.
    """
    parts = pinning.split_address(url)
    if parts is None or parts.fragment:
        raise OutboundRefusedError("not an address that can be called")
    allowed = parts.hostname in allowed_hosts
    if parts.scheme != "https" and not allowed:
        raise OutboundRefusedError("not https")
    if not allowed and pinning.names_private(parts):
        raise OutboundRefusedError("a private address")
    return parts


def post_json(url: str, body: dict[str, object], *, allowed_hosts: tuple[str, ...]) -> None:
    """Returns when the other side has taken it (2xx).

    Raises `OutboundRefusedError` (never again) or `OutboundUnreachableError` (perhaps later).
    """
    parts = parse_address(url, allowed_hosts=allowed_hosts)
    found = pinning.look_up(parts)
    if not found:
        raise OutboundUnreachableError("the name is not known")
    address = pinning.choose(found, private=parts.hostname in allowed_hosts)
    if address is None:
        raise OutboundRefusedError("the name leads to a private address")
    target, headers, extensions = pinning.pin(parts, address)
    deadline = pinning.Deadline(SECONDS)
    client = httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False)
    with client, deadline:
        extensions |= {"trace": deadline.trace}
        request = client.build_request("POST", target, json=body, headers=headers, extensions=extensions)
        try:
            answer = client.send(request, stream=True)
            _discard(answer)
        except httpx.HTTPError as error:
            why = "it took too long" if deadline.passed else type(error).__name__
            raise OutboundUnreachableError(why) from None
    if not answer.is_success:
        raise OutboundUnreachableError(f"answered {answer.status_code}")


def _discard(answer: httpx.Response) -> None:
    size = 0
    for chunk in answer.iter_raw():
        size += len(chunk)
        if size > LONGEST_ANSWER:
            break
    answer.close()
