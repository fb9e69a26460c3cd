"""A client that proves who it is by a JWT of its own (private_key_jwt: RFC 7523, FAPI 2.0, 5.3.2.1)."""

import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache

from authz.clients import outbound
from authz.errors import InvalidClientError, OutboundError
from authz.models import Application, Authentication
from authz.services.signed_tokens import (
    BadTokenError,
    PublicKey,
    import_public_key,
    read_header,
    read_time,
    read_unverified_claims,
    refuse_future,
    take_once,
    verify_claims,
)
from authz.wire import SIGNING_ALGORITHMS

logger = logging.getLogger(__name__)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# RS256 for clients that are not held to the FAPI profile, which forbids it.
OPEN_ALGORITHMS = (*SIGNING_ALGORITHMS, "RS256")
MAX_LIFETIME = timedelta(hours=1)
MAX_KEYS = 20
_KEYS_KEPT_SECONDS = 300
# An unknown kid makes us fetch again, but no sooner: whoever asks needs no authentication to make us.
_FETCH_PAUSE_SECONDS = 30


def authenticate_by_assertion(*, assertion: str, client_id: str | None) -> Application:
    """The client whose key signed ``assertion``, which is used up by this call; raises `InvalidClientError`.

    ``client_id`` is what the request says beside it, if anything.
    """
    try:
        return _authenticate(assertion, client_id)
    except BadTokenError as error:
        raise InvalidClientError(f"The client assertion is refused. {error}") from None


def _authenticate(assertion: str, client_id: str | None) -> Application:
    header = read_header(assertion)
    application = _find_client(assertion, client_id)
    algorithms = SIGNING_ALGORITHMS if application.fapi_profile else OPEN_ALGORITHMS
    if header.get("alg") not in algorithms:
        raise BadTokenError("Its alg is not one of this server's.")
    claims = verify_claims(assertion, key=_find_key(application, header), algorithms=algorithms)
    if claims.get("iss") != application.client_id or claims.get("sub") != application.client_id:
        raise BadTokenError("Its iss and sub are not the client.")
    # A string, and this server's issuer alone: what is made for one server must be no good at another.
    if claims.get("aud") != settings.ISSUER:
        raise BadTokenError("Its aud is not this server's issuer.")
    expires, now = read_time(claims, "exp"), time.time()
    if expires is None or expires <= now or expires > now + MAX_LIFETIME.total_seconds():
        raise BadTokenError("Its exp is missing, over or more than an hour away.")
    refuse_future(claims)
    take_once(claims, kind="client-assertion", signer=application.client_id)
    return application


def _find_client(assertion: str, client_id: str | None) -> Application:
    """By the claim that nobody has verified yet: it only says whose keys are to be tried."""
    named = read_unverified_subject(assertion)
    if client_id not in (None, named):
        raise BadTokenError("It is another client's.")
    rows = Application.objects.filter(client_id=named, client_type=Application.CLIENT_CONFIDENTIAL)
    application: Application | None = next(iter(rows.filter(authentication=Authentication.PRIVATE_KEY)), None)
    if application is None:
        raise BadTokenError("No such client signs assertions.")
    return application


def read_unverified_subject(assertion: str) -> str:
    """Who an assertion says it is of; raises `BadTokenError`."""
    subject = read_unverified_claims(assertion).get("sub")
    if not isinstance(subject, str) or not subject or "\0" in subject:
        raise BadTokenError("Its sub is missing.")
    return subject


def _find_key(application: Application, header: dict[str, Any]) -> PublicKey:
    """The key of this ``kid``; without one the only key that fits the algorithm."""
    if "kid" in header and not isinstance(header["kid"], str):
        raise BadTokenError("Its kid is malformed.")
    for is_fresh in (False, True):
        fitting = [jwk for jwk in _read_keys(application, is_fresh=is_fresh) if _fits(jwk, header)]
        if len(fitting) == 1:
            return import_public_key(fitting[0])
        if fitting or not application.jwks_uri:
            break
    raise BadTokenError("It names no key of the client's.")


def _fits(jwk: Any, header: dict[str, Any]) -> bool:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        return False
    kinds = {"E": ("EC", "OKP"), "P": ("RSA",), "R": ("RSA",)}
    right_kind = jwk.get("kty") in kinds.get(str(header.get("alg"))[:1], ())
    right_alg = jwk.get("alg") in (None, header.get("alg"))
    return right_kind and right_alg and ("kid" not in header or jwk.get("kid") == header["kid"])


def _read_keys(application: Application, *, is_fresh: bool) -> list[Any]:
    """The client's keys, its own word: from its record, or from its address, kept for 5 minutes."""
    if not application.jwks_uri:
        return read_key_set(application.jwks)
    kept, pause = f"authz:jwks:{application.jwks_uri}", f"authz:jwks-asked:{application.jwks_uri}"
    keys: list[Any] | None = cache.get(kept)
    if (keys is None or is_fresh) and cache.add(pause, 1, _FETCH_PAUSE_SECONDS):
        try:
            keys = read_key_set(outbound.get_object(application.jwks_uri))
        except OutboundError as error:
            logger.warning("the keys of %s were not fetched: %s", application.client_id, error)
        else:
            cache.set(kept, keys, _KEYS_KEPT_SECONDS)
    return keys or []


def read_key_set(jwks: Any) -> list[Any]:
    """The keys of a JWK set (RFC 7517, section 5), 20 at most; of anything else none."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    return keys if isinstance(keys, list) and len(keys) <= MAX_KEYS else []
