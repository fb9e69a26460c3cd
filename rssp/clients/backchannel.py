"""Asking a signer for an approval out of band (OpenID Connect CIBA Core 1.0, poll mode; docs/protocols.md)."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from rssp.clients.client_authentication import own_credentials
from rssp.clients.http import client_for
from rssp.errors import ApprovalDeniedError, AuthorizationServerUnavailableError, TooManyChallengesError

log = logging.getLogger(__name__)

GRANT_TYPE = "urn:openid:params:grant-type:ciba"
_LONGEST_SECONDS = 15 * 60
# CIBA, 7.3: what holds where the server says nothing.
_INTERVAL = 5


@dataclass(frozen=True)
class Asked:
    """The signer is being asked; times in seconds. ``request`` is the ``auth_req_id``."""

    request: str
    expires_in: int
    interval: int

    def __repr__(self) -> str:
        return f"Asked({self.expires_in!r}, {self.interval!r})"


@dataclass(frozen=True)
class Waiting:
    """No answer yet. ``slower`` means five seconds more between two questions (CIBA, 11)."""

    slower: bool


def ask_for_approval(*, subject: str, details: Sequence[dict[str, Any]], binding_message: str) -> Asked:
    """Raises `ApprovalDeniedError` (the server does not ask this signer), `TooManyChallengesError` or
    `AuthorizationServerUnavailableError`."""
    form = {
        "scope": "credential",
        "login_hint": subject,
        "authorization_details": _json(details),
        "binding_message": binding_message,
    }
    body = _post("bc-authorize", form)
    request, expires_in, interval = body.get("auth_req_id"), body.get("expires_in"), body.get("interval", _INTERVAL)
    if not (
        isinstance(request, str)
        and request
        and type(expires_in) is int
        and type(interval) is int
        and expires_in > 0 < interval
    ):
        if body.get("error") is None:
            raise AuthorizationServerUnavailableError("the authorization server does not answer as it should")
        raise ApprovalDeniedError("the authorization server does not ask this signer")
    return Asked(request, min(expires_in, _LONGEST_SECONDS), interval)


def poll_approval(*, request: str) -> str | Waiting:
    """The access token that the approval led to. Raises `ApprovalDeniedError` or
    `AuthorizationServerUnavailableError`."""
    body = _post("token", {"grant_type": GRANT_TYPE, "auth_req_id": request})
    token = body.get("access_token")
    if isinstance(token, str) and token:
        return token
    error = body.get("error")
    if error in {"authorization_pending", "slow_down"}:
        return Waiting(slower=error == "slow_down")
    if error is None:
        raise AuthorizationServerUnavailableError("the authorization server does not answer as it should")
    raise ApprovalDeniedError("the signer refused or did not answer in time")


def _post(endpoint: str, form: dict[str, str]) -> dict[str, Any]:
    """The answer's JSON object, of a success or of an error with a name."""
    try:
        response = client_for(settings.ISSUER).post(
            f"{settings.ISSUER}/oauth2/{endpoint}", data=form, auth=own_credentials()
        )
    except httpx.TransportError:
        raise AuthorizationServerUnavailableError("the authorization server is not reached") from None
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        told = response.headers.get("Retry-After", "")
        seconds = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 60
        raise TooManyChallengesError("the signer was asked too often", seconds=seconds)
    is_ours = response.status_code in {httpx.codes.OK, httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN}
    if not is_ours or not isinstance(body, dict):
        log.error("%s answered %s", endpoint, response.status_code)
        raise AuthorizationServerUnavailableError("the authorization server does not answer as it should")
    return body


def _json(details: Sequence[dict[str, Any]]) -> str:
    return json.dumps(list(details), ensure_ascii=False, separators=(",", ":"))
