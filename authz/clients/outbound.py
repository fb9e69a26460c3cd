"""Calls to addresses that a client registered: to the public Internet alone, resolved once, bounded in time and size.

An address is looked at before a packet leaves, and what was looked at is what is called: the name is not resolved
again. Redirects are answers like any other.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import SplitResult

import httpx
from django.conf import settings

from authz.clients import pinning
from authz.errors import OutboundError

SECONDS = 5.0
LONGEST_ANSWER = 64 * 1024


def parse_address(url: str, *, hosts: Collection[str] = ()) -> SplitResult:
    """An address that may be called, as far as its text tells; raises `OutboundError`.

    ``https`` alone, but for a host of ``CLIENT_URI_HOSTS`` or ``hosts``, which may be private and without TLS too.
    """
    parts = pinning.split_address(url)
    if parts is None or parts.fragment:
        raise OutboundError("It is not an address that can be called.")
    allowed = _is_allowed(str(parts.hostname), hosts)
    if parts.scheme != "https" and not allowed:
        raise OutboundError("It is not an https address.")
    if not allowed and pinning.names_private(parts):
        raise OutboundError("It is a private address.")
    return parts


def _is_allowed(host: str, hosts: Collection[str]) -> bool:
    """Whether an operator vouches for this host, by name."""
    return host in settings.CLIENT_URI_HOSTS or host in hosts


def get_object(url: str) -> dict[str, Any]:
    """The JSON object at this address; raises `OutboundError`."""
    status, body = _call("GET", url)
    if status != httpx.codes.OK:
        raise OutboundError(f"It answered {status}.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OutboundError("It answered no JSON object.")
    return found


def post_form(url: str, form: Mapping[str, str], *, hosts: Collection[str] = ()) -> None:
    """Returns when the other side has taken it (2xx); ``hosts`` as for `parse_address`. Raises `OutboundError`."""
    status, _ = _call("POST", url, form, hosts)
    if not 200 <= status < 300:
        raise OutboundError(f"It answered {status}.")


def _call(
    method: str, url: str, form: Mapping[str, str] | None = None, hosts: Collection[str] = ()
) -> tuple[int, bytes]:
    parts = parse_address(url, hosts=hosts)
    found = pinning.look_up(parts)
    if not found:
        raise OutboundError("Its name is not known.")
    address = pinning.choose(found, private=_is_allowed(str(parts.hostname), hosts))
    if address is None:
        raise OutboundError("Its name leads to a private address.")
    target, headers, extensions = pinning.pin(parts, address)
    deadline = pinning.Deadline(SECONDS)
    client = httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False)
    with client, deadline:
        extensions |= {"trace": deadline.trace}
        request = client.build_request(method, target, data=form, headers=headers, extensions=extensions)
        try:
            answer = client.send(request, stream=True)
            return answer.status_code, _read(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = "it took too long" if deadline.passed else type(error).__name__
            raise OutboundError(f"It is not reached ({why}).") from None


def _read(answer: httpx.Response) -> bytes:
    body = b""
    try:
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > LONGEST_ANSWER:
                raise OutboundError("Its answer is too long.")
    finally:
        answer.close()
    return body
