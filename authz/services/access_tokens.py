"""The value of an access token: random, or a signed JWT (RFC 9068) for the service tokens of clients that want them."""

import time
from datetime import timedelta
from typing import Any

from django.conf import settings

from authz.models import Application, Grant
from authz.services.secrets import create_secret
from authz.services.signing_keys import sign
from authz.wire import Confirmation, write_acr

# A resource server that asks nobody learns of a revocation when the token ends: no later than this.
JWT_LIFETIME = timedelta(seconds=60)


def is_jwt(*, application: Application, scope: str) -> bool:
    """Only what opens an account's descriptions: what approves signatures is random, and introspected each time."""
    return bool(application.jwt_access_tokens) and "service" in scope.split()


def create_access_token(
    *, application: Application, grant: Grant | None, scope: str, resources: list[str], confirmation: Confirmation
) -> str:
    """``grant`` is None where no person is behind the token. A JWT is known by its checksum as any other token is, so
    it is introspected and revoked as they are."""
    if not is_jwt(application=application, scope=scope):
        return create_secret()
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": settings.ISSUER,
        "sub": application.client_id if grant is None else str(grant.user.sub),
        "aud": resources,
        "client_id": application.client_id,
        "scope": scope,
        "iat": now,
        "exp": now + int(JWT_LIFETIME.total_seconds()),
        "jti": create_secret(),
    }
    if grant is not None and grant.amr:
        claims |= {"amr": grant.amr, "acr": write_acr(grant.amr)}
    if grant is not None and grant.auth_time is not None:
        claims["auth_time"] = int(grant.auth_time.timestamp())
    if grant is not None and grant.consent is not None and grant.consent.details is not None:
        claims["authorization_details"] = grant.consent.details
    if confirmation is not None:
        claims["cnf"] = confirmation
    return sign(application=application, kind="at+jwt", claims=claims)
