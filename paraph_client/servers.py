"""Where a service's API and its login are, from what it publishes (RFC 9728, RFC 8414)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from paraph_client.errors import ClientError

_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """``api`` is the address of its calls, without a slash; the rest is the authorization server's."""

    api: str
    issuer: str
    authorization_endpoint: str
    token_endpoint: str


def discover(url: str) -> Server:
    """``url`` is the service's address, such as ``https://sign.example.org``. Raises `ClientError`."""
    base = _base(url)
    told = _read(f"{base}/.well-known/oauth-protected-resource/gateway")
    if told.get("resource") != f"{base}/gateway":
        # RFC 9728, 3.3: who says that it is somebody else is not believed.
        raise ClientError(f"What answers at {base} calls itself another service.")
    servers = told.get("authorization_servers")
    issuer = servers[0] if isinstance(servers, list) and servers else None
    if not isinstance(issuer, str):
        raise ClientError(f"{base} does not say where to log in.")
    parts = urlsplit(issuer)
    path = "" if parts.path == "/" else parts.path
    found = _read(f"{_base(f'{parts.scheme}://{parts.netloc}')}/.well-known/oauth-authorization-server{path}")
    addresses = [found.get(name) for name in ("authorization_endpoint", "token_endpoint")]
    if found.get("issuer") != issuer or not all(isinstance(each, str) for each in addresses):
        raise ClientError(f"{issuer} does not describe its login.")
    return Server(f"{base}/gateway/v1", issuer, *(_base(str(each)) for each in addresses))


def _base(url: str) -> str:
    """Without a slash; plain HTTP only on this machine."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        raise ClientError(f"{url} is no https:// address.")
    return url.rstrip("/")


def _read(address: str) -> dict[str, Any]:
    try:
        answer = httpx.get(address, timeout=_SECONDS, follow_redirects=False)
        body = answer.json() if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        body = None
    if not isinstance(body, dict):
        raise ClientError(f"There is no such service at {address}.")
    return body
