"""The OAuth provider's five models, swapped for ours. Secrets, codes and tokens are kept as checksums only."""

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
    is_own = models.BooleanField(_("part of this installation"), default=False)
    may_act_alone = models.BooleanField(
        _("may act without a person"),
        default=False,
        help_text=_("Confidential clients that seal: the client credentials grant, scope service alone."),
    )
    may_ask_out_of_band = models.BooleanField(_("may ask users out of band"), default=False, editable=False)

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Only a registered URI, character by character (RFC 9700, section 2.1)."""
        return uri in self.redirect_uris.split()

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
    auth_time = models.DateTimeField(null=True)
    amr = models.JSONField(default=list)
    used = models.DateTimeField(null=True)


class AccessToken(AbstractAccessToken):  # type: ignore[misc]  # the provider carries no types
    """An access token, known by its checksum; ``token`` is always empty. Without ``user`` it is a client's own."""

    grant = models.ForeignKey(Grant, on_delete=models.SET_NULL, null=True, related_name="access_tokens")
    consent = models.ForeignKey(Consent, on_delete=models.CASCADE, null=True, related_name="access_tokens")


class RefreshToken(AbstractRefreshToken):  # type: ignore[misc]  # the provider carries no types
    """A refresh token, known by its checksum; ``token`` is always empty."""

    grant = models.ForeignKey(Grant, on_delete=models.SET_NULL, null=True, related_name="refresh_tokens")
    scope = models.TextField(blank=True)
    expires = models.DateTimeField()


class IDToken(AbstractIDToken):  # type: ignore[misc]  # the provider carries no types
    """The record that an ID token was issued."""
