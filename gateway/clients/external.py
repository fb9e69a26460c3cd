"""What another OpenID provider says of itself (OpenID Connect Discovery 1.0, RFC 8414) and its keys (RFC 7517).

It is believed at the issuer's own origin alone, bounded in time and size and without redirects. What it said is kept in
the process; an unknown key has it asked again, but never more often than every half minute, whoever sends what.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from gateway.clients.http import client_for
from gateway.errors import AuthorizationServerUnavailableError

log = logging.getLogger(__name__)

_KEPT_SECONDS = 600.0
_PAUSE_SECONDS = 30.0
_LONGEST_ANSWER = 256 * 1024
_MOST_KEYS = 50
_KINDS: dict[str, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}

Key = RSAKey | ECKey


@dataclass
class _Kept:
    """What one issuer said. ``lock`` lets one thread ask."""

    metadata: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    read: float = float("-inf")
    asked: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


_kept: dict[str, _Kept] = {}


def read_metadata(*, issuer: str) -> dict[str, Any]:
    """What it says of itself. Raises `AuthorizationServerUnavailableError`."""
    return _current(issuer).metadata


def read_address(name: str, *, issuer: str) -> str:
    """An endpoint by its name in the metadata. Raises `AuthorizationServerUnavailableError`."""
    return _own_address(issuer, read_metadata(issuer=issuer).get(name))


def find_key(key_id: str, *, issuer: str) -> Key | None:
    """The key of this ``kid``; None where the provider has none. Raises `AuthorizationServerUnavailableError`."""
    return _current(issuer, wanted=key_id).keys.get(key_id)


def forget() -> None:
    """As if the process had begun anew."""
    _kept.clear()


def _current(issuer: str, *, wanted: str | None = None) -> _Kept:
    kept = _kept.setdefault(issuer, _Kept())
    if _is_current(kept, wanted):
        return kept  # nobody with a known key waits for an answer about an unknown one
    with kept.lock:
        now = time.monotonic()
        if not _is_current(kept, wanted) and now - kept.asked >= _PAUSE_SECONDS:
            kept.asked = now
            try:
                kept.metadata, kept.keys = _read(issuer)
                kept.read = now
            except AuthorizationServerUnavailableError as error:
                log.error("the provider's metadata or keys were not read: %s", error)
        # Old keys go on for a while where the provider is away, as its tokens do; not for ever.
        if now - kept.read >= 2 * _KEPT_SECONDS:
            raise AuthorizationServerUnavailableError("the provider's keys are not known")
    return kept


def _is_current(kept: _Kept, wanted: str | None) -> bool:
    return time.monotonic() - kept.read < _KEPT_SECONDS and (wanted is None or wanted in kept.keys)


def _read(issuer: str) -> tuple[dict[str, Any], dict[str, Key]]:
    metadata = fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration", issuer=issuer)
    if metadata.get("issuer") != issuer:
        raise AuthorizationServerUnavailableError("the metadata are another issuer's")
    listed = fetch(_own_address(issuer, metadata.get("jwks_uri")), issuer=issuer).get("keys")
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise AuthorizationServerUnavailableError("there are no keys, or too many")
    return metadata, {key_id: key for key_id, key in map(_read_key, listed) if key is not None}


def _read_key(given: Any) -> tuple[str, Key | None]:
    """A public key for signatures; whatever else a set holds is passed over (RFC 7517, 5)."""
    try:
        if given.get("use", "sig") == "sig" and isinstance(given["kid"], str) and "d" not in given:
            return given["kid"], _KINDS[given["kty"]].import_key(given)
    except (JoseError, AttributeError, KeyError, TypeError, ValueError):
        pass
    return "", None


def _own_address(issuer: str, address: object) -> str:
    """Metadata send us nowhere but to the issuer's origin."""
    try:
        own, given = urlsplit(issuer), urlsplit(address) if isinstance(address, str) else None
        is_own = given is not None and (given.scheme, given.netloc) == (own.scheme, own.netloc)
    except ValueError:
        is_own = False
    if not is_own:
        raise AuthorizationServerUnavailableError("the metadata name an address elsewhere, or none")
    return str(address)


def fetch(address: str, *, issuer: str, form: Mapping[str, str] | None = None, **asked: Any) -> dict[str, Any]:
    """The JSON object at an address of the issuer's, which ``form`` is sent to where there is one; ``asked`` are
    httpx's ``auth`` and ``headers``. A form that is refused is answered by an empty one.

    Raises `AuthorizationServerUnavailableError`.
    """
    content = bytearray()
    try:
        method = "GET" if form is None else "POST"
        with client_for(issuer).stream(method, address, data=form, **asked) as response:
            if form is not None and response.is_client_error:
                log.warning("the provider refused a form: %s", response.status_code)
                return {}
            if response.status_code != httpx.codes.OK:
                raise AuthorizationServerUnavailableError(f"the provider answered {response.status_code}")
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LONGEST_ANSWER:
                    raise AuthorizationServerUnavailableError("the provider's answer is too long")
    except httpx.HTTPError:
        raise AuthorizationServerUnavailableError("the provider is not reached") from None
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise AuthorizationServerUnavailableError("the provider does not answer as it should")
    return body
