"""The OAuth provider's five models, swapped for ours. Secrets, codes and tokens are kept as checksums only."""

import re

from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractApplication,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
)

from authz.models.consents import Consent
from authz.models.faces import Face

# The addresses, and not the name, which might lead elsewhere (RFC 8252, section 8.3).
_ON_LOOPBACK = re.compile(r"http://(?P<host>127\.0\.0\.1|\[::1\]):[1-9][0-9]{0,4}(?P<path>/[A-Za-z0-9/_-]*)")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])/[A-Za-z0-9/_-]*")


def is_loopback(uri: str) -> bool:
    """Whether it is a redirect URI of a program on its user's own machine, at any port."""
    return _LOOPBACK.fullmatch(uri) is not None


class Authentication(models.TextChoices):
    """How a confidential client proves who it is, at every endpoint that asks (RFC 8414's names)."""

    SECRET = "client_secret_basic", _("a secret, in the header or the body")
    PRIVATE_KEY = "private_key_jwt", _("a JWT that it signs (RFC 7523)")
    TLS = "self_signed_tls_client_auth", _("a TLS certificate of its own (RFC 8705)")


class Signature(models.TextChoices):
    """By what ID tokens, logout tokens and JWT access tokens of a client are signed."""

    RS256 = "RS256", _("RSA (RS256)")
    ES256 = "ES256", _("an elliptic curve (ES256)")


class Application(AbstractApplication):  # type: ignore[misc]  # the provider carries no types
    """A client.

    ``client_secret`` is ``sha256$`` and the secret's SHA-256 in hexadecimal: secrets are generated with 256
    random bits, so a slow hash would add nothing but work to every introspection. ``resource`` names the
    resource server that this client is, and so whose tokens it may introspect.
    """

    allowed_scopes = models.TextField(_("scopes"), blank=True, help_text=_("Separated by spaces."))
    allowed_resources = models.JSONField(_("resources it may ask for"), default=list, blank=True)
    resource = models.CharField(_("resource server"), max_length=255, blank=True)
    require_pushed_requests = models.BooleanField(_("must push its requests"), default=False)
    require_pkce = models.BooleanField(
        _("must use PKCE"),
        default=True,
        help_text=_("Without it only for confidential clients of version 1 of the CSC API, which has no word for it."),
    )
    require_dpop = models.BooleanField(
        _("must prove a key with every token"),
        default=False,
        help_text=_("DPoP (RFC 9449): a token that is stolen without its key opens nothing."),
    )
    tls_bound_tokens = models.BooleanField(
        _("tokens are bound to its TLS certificate"),
        default=False,
        help_text=_("RFC 8705. Only where the proxy hands client certificates over (CLIENT_CERTIFICATE_HEADER)."),
    )
    fapi_profile = models.BooleanField(
        _("held to the FAPI 2.0 security profile"),
        default=False,
        help_text=_("Pushed requests, no shared secret, and tokens that are bound to a key or a certificate."),
    )
    authentication = models.CharField(
        _("proves who it is by"),
        max_length=32,
        choices=Authentication.choices,
        default=Authentication.SECRET,
        help_text=_("For confidential clients; a public client proves nothing."),
    )
    jwks = models.JSONField(
        _("its public keys"), null=True, blank=True, help_text=_("A JWK set (RFC 7517): an object with “keys”.")
    )
    jwks_uri = models.URLField(
        _("where its public keys are"),
        max_length=255,
        blank=True,
        help_text=_("An https address, fetched when a key is not known. Not together with keys that are given here."),
    )
    jwt_access_tokens = models.BooleanField(
        _("its service tokens are JWTs"),
        default=False,
        help_text=_(
            "RFC 9068, a minute long, so that none outlives its revocation by more. "
            "Tokens that approve signatures are never JWTs."
        ),
    )
    id_token_signed_response_alg = models.CharField(
        _("its ID tokens are signed by"),
        max_length=8,
        choices=Signature.choices,
        default=Signature.RS256,
        help_text=_("Its logout tokens and JWT access tokens too. The FAPI 2.0 profile knows no RS256."),
    )
    backchannel_logout_uri = models.URLField(
        _("is told of logouts at"),
        max_length=255,
        blank=True,
        help_text=_("An https address to which a logout token, with sub and sid, is posted when a login ends."),
    )
    frontchannel_logout_uri = models.URLField(
        _("is told of logouts in the browser at"),
        max_length=255,
        blank=True,
        help_text=_("Of a redirect URI's origin. Opened in a frame by the page that says that one is logged out."),
    )
    frontchannel_logout_session_required = models.BooleanField(
        _("is told which login in the browser"), default=True, help_text=_("By iss and sid in the address.")
    )
    consent_text = models.CharField(
        _("what it says of itself"),
        max_length=300,
        blank=True,
        help_text=_("Shown on the page that asks for access to an account, as the application's own words."),
    )
    is_own = models.BooleanField(_("part of this installation"), default=False)
    may_act_alone = models.BooleanField(
        _("may act without a person"),
        default=False,
        help_text=_("Confidential clients that seal: the client credentials grant, scope service alone."),
    )
    may_ask_out_of_band = models.BooleanField(_("may ask users out of band"), default=False, editable=False)

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Only a registered URI, character by character (RFC 9700, section 2.1); but a public client's on the loopback
        address, registered without a port, at whatever port its program was given (RFC 8252, section 7.3)."""
        registered = self.redirect_uris.split()
        if uri in registered:
            return True
        on_port = _ON_LOOPBACK.fullmatch(uri)
        is_public = self.client_type == self.CLIENT_PUBLIC
        return is_public and on_port is not None and f"http://{on_port['host']}{on_port['path']}" in registered

    @property
    def signed_by(self) -> str:
        """The algorithm of what this server signs for it; the profile knows no RS256, whatever the record says."""
        return Signature.ES256 if self.fapi_profile else str(self.id_token_signed_response_alg)

    def scopes(self) -> frozenset[str]:
        """The scopes that this client may ask for."""
        return frozenset(self.allowed_scopes.split())


class Grant(AbstractGrant):  # type: ignore[misc]  # the provider carries no types
    """An authorization code; ``code`` holds its SHA-256. A used row stays, so that a replay is recognised.

    ``face`` is where it was asked for, and where alone it and its refresh tokens are redeemed. ``code_challenge`` is
    empty only of a client that an operator excused from PKCE, at the first version of the CSC API.
    """

    face = models.CharField(max_length=8, choices=Face.choices, default=Face.OAUTH)
    consent = models.ForeignKey(Consent, on_delete=models.CASCADE, null=True, related_name="grants")
    # The login that the ID token speaks of; empty of what is no login, and once the login ended.
    sid = models.CharField(max_length=43, blank=True, db_index=True)
    # The key that alone may redeem it (RFC 9449, section 10), as a thumbprint.
    dpop_jkt = models.CharField(max_length=43, blank=True)
    auth_time = models.DateTimeField(null=True)
    amr = models.JSONField(default=list)
    used = models.DateTimeField(null=True)


class AccessToken(AbstractAccessToken):  # type: ignore[misc]  # the provider carries no types
    """An access token, known by its checksum; ``token`` is always empty. Without ``user`` it is a client's own.
    ``confirmation`` is ``cnf`` (RFC 7800): what the token is bound to, or None."""

    confirmation = models.JSONField(null=True)
    grant = models.ForeignKey(Grant, on_delete=models.SET_NULL, null=True, related_name="access_tokens")
    consent = models.ForeignKey(Consent, on_delete=models.CASCADE, null=True, related_name="access_tokens")


class RefreshToken(AbstractRefreshToken):  # type: ignore[misc]  # the provider carries no types
    """A refresh token, known by its checksum; ``token`` is always empty. ``confirmation`` as of the access token."""

    confirmation = models.JSONField(null=True)
    grant = models.ForeignKey(Grant, on_delete=models.SET_NULL, null=True, related_name="refresh_tokens")
    scope = models.TextField(blank=True)
    expires = models.DateTimeField()


class IDToken(AbstractIDToken):  # type: ignore[misc]  # the provider carries no types
    """The record that an ID token was issued."""
