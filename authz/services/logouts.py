"""Logging out on a client's word (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass

from django.conf import settings

from authz.errors import UntrustedRequestError
from authz.models import Application
from authz.services.grants import append_query
from authz.services.signing_keys import read_own_claims


@dataclass(frozen=True)
class LogoutRequest:
    """``subject`` is whom the client's ID token speaks of, empty where it sent none; ``destination`` the client's own
    address with its state, or empty: the browser stays here."""

    subject: str
    destination: str


def read_logout_request(*, hint: str, client_id: str, redirect_uri: str, state: str) -> LogoutRequest:
    """Raises `UntrustedRequestError` (show it here) for a hint that this server never signed, a client that it does not
    know, and an address that is not registered to the letter (section 3)."""
    subject, audience = _read_hint(hint) if hint else ("", client_id)
    if client_id and client_id != audience:
        raise UntrustedRequestError("The application's request names two applications.")
    if not redirect_uri:
        return LogoutRequest(subject, "")
    application: Application | None = Application.objects.filter(client_id=audience).first() if audience else None
    if application is None or redirect_uri not in application.post_logout_redirect_uris.split():
        raise UntrustedRequestError("The application asked to send you back to an address that is not its own.")
    return LogoutRequest(subject, append_query(redirect_uri, {"state": state} if state else {}))


def _read_hint(hint: str) -> tuple[str, str]:
    """Subject and audience of an ID token of this server's own; one that has expired is good enough (section 2)."""
    try:
        claims = read_own_claims(hint, kind="JWT")
    except ValueError:
        raise UntrustedRequestError("The application's request is not this server's own word.") from None
    subject, audience = claims.get("sub"), claims.get("aud")
    if claims.get("iss") != settings.ISSUER or not isinstance(subject, str) or not isinstance(audience, str):
        raise UntrustedRequestError("The application's request is not this server's own word.")
    return subject, audience
