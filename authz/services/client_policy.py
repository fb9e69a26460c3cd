"""What goes together in a client's record: rules for the operator who writes it, field by field."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from authz.clients.outbound import parse_address
from authz.errors import InvalidRequestError, OutboundError
from authz.models import Application, Authentication, Signature
from authz.services.client_assertions import read_key_set
from authz.services.oauth_clients import FOREIGN_SCOPES, OPERATOR_SCOPE, refuse_bad_redirect_uris
from authz.services.signed_tokens import BadTokenError, import_public_key

SCOPES = frozenset(FOREIGN_SCOPES.split()) | {"openid", "email", "profile", OPERATOR_SCOPE}


def find_faults(*, application: Application) -> Iterator[tuple[str, str]]:
    """Each fault as the field's name and a sentence; none of a record that may be kept."""
    is_public = application.client_type == Application.CLIENT_PUBLIC
    if unknown := application.scopes() - SCOPES:
        yield "allowed_scopes", _("There is no scope %(scope)s.") % {"scope": min(unknown)}
    if is_public and OPERATOR_SCOPE in application.scopes():
        yield "allowed_scopes", _("A client that can keep no secret acts for no operator.")
    try:
        if application.redirect_uris.split() or not application.may_act_alone:
            refuse_bad_redirect_uris(application.redirect_uris.split())
    except InvalidRequestError as error:
        yield "redirect_uris", str(error)
    try:
        if application.post_logout_redirect_uris.split():
            refuse_bad_redirect_uris(application.post_logout_redirect_uris.split())
    except InvalidRequestError as error:
        yield "post_logout_redirect_uris", str(error)
    yield from _find_faults_of_logout(application)
    if is_public and application.may_act_alone:
        yield "may_act_alone", _("A client that can keep no secret cannot act without a user.")
    if is_public and not application.require_pkce:
        yield "require_pkce", _("Only a confidential client can be excused.")
    yield from _find_faults_of_proof(application, is_public=is_public)
    yield from _find_faults_of_keys(application)
    if application.fapi_profile:
        yield from _find_faults_of_profile(application, is_public=is_public)


def _find_faults_of_proof(application: Application, *, is_public: bool) -> Iterator[tuple[str, str]]:
    if is_public and application.authentication != Authentication.SECRET:
        yield "authentication", _("A public client proves nothing.")
    if not settings.CLIENT_CERTIFICATE_HEADER:
        sentence = _("Nobody hands certificates over here: see CLIENT_CERTIFICATE_HEADER.")
        if application.authentication == Authentication.TLS:
            yield "authentication", sentence
        if application.tls_bound_tokens:
            yield "tls_bound_tokens", sentence
    if application.authentication == Authentication.PRIVATE_KEY and not (application.jwks or application.jwks_uri):
        yield "jwks", _("A client that signs needs keys, here or at an address.")
    if application.authentication == Authentication.TLS and not application.jwks:
        yield "jwks", _("The certificate's key has to be named here.")


def _find_faults_of_logout(application: Application) -> Iterator[tuple[str, str]]:
    """Back-Channel Logout 1.0, section 2.2; Front-Channel Logout 1.0, section 2."""
    if application.backchannel_logout_uri:
        try:
            parse_address(application.backchannel_logout_uri)
        except OutboundError as error:
            yield "backchannel_logout_uri", str(error)
    if uri := application.frontchannel_logout_uri:
        origins = {urlsplit(known)[:2] for known in application.redirect_uris.split()}
        if urlsplit(uri)[:2] not in origins or "#" in uri:
            yield "frontchannel_logout_uri", _("It is not of a redirect URI's origin.")
    if (application.backchannel_logout_uri or application.frontchannel_logout_uri) and (
        "openid" not in application.scopes()
    ):
        yield "allowed_scopes", _("Who is told of logouts has to know of logins: scope openid.")


def _find_faults_of_keys(application: Application) -> Iterator[tuple[str, str]]:
    if application.jwks and application.jwks_uri:
        yield "jwks_uri", _("Keys are given here or at an address, not both.")
    if application.jwks_uri:
        try:
            parse_address(application.jwks_uri)
        except OutboundError as error:
            yield "jwks_uri", str(error)
    if application.jwks is None:
        return
    keys = read_key_set(application.jwks)
    if not keys:
        yield "jwks", _("This is no JWK set of 1 to 20 keys.")
    for position, jwk in enumerate(keys, start=1):
        try:
            import_public_key(jwk)
        except BadTokenError as error:
            yield "jwks", _("Key %(position)d: %(reason)s") % {"position": position, "reason": error}


def _find_faults_of_profile(application: Application, *, is_public: bool) -> Iterator[tuple[str, str]]:
    """FAPI 2.0 security profile, 5.3.2.1 and 5.3.3. Pushed requests the profile implies, whatever the record says."""
    if is_public or application.authentication == Authentication.SECRET:
        yield "fapi_profile", _("The profile wants a client that proves itself by a key or a certificate.")
    if not (application.require_dpop or application.tls_bound_tokens):
        yield "fapi_profile", _("The profile wants tokens that are bound to a key (DPoP) or to a certificate.")
    if not application.require_pkce:
        yield "require_pkce", _("The profile wants PKCE.")
    if application.id_token_signed_response_alg == Signature.RS256:
        yield "id_token_signed_response_alg", _("The profile knows no RS256.")
