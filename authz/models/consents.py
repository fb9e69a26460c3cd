"""What a client asked for, and what the user said: pending request, approval and evidence in one row."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from authz.models.faces import Face
from authz.models.passkeys import Passkey
from authz.models.users import User


class Consent(models.Model):  # type: ignore[django-manager-missing]  # the provider's models carry no types
    """One authorization request from the moment a browser brings it to the user's answer, kept as evidence.

    ``request`` holds the validated request's parameters, ``details`` the authorization details that are
    approved (their wire form, with what this server added), ``assertion`` the passkey's answer over the
    challenge that ``nonce`` and ``approval_expires`` went into. Client and user cannot be deleted from under it.
    """

    class Kind(models.TextChoices):
        SERVICE = "service", _("access to an account")
        CREDENTIAL = "credential", _("signatures")
        CREDENTIAL_CREATION = "credential-creation", _("a new certificate")
        CREDENTIAL_DELETION = "credential-deletion", _("the end of a certificate")
        PASSKEY_BINDING = "passkey-binding", _("a passkey for a certificate")

    class State(models.TextChoices):
        PENDING = "pending", _("waiting")
        APPROVED = "approved", _("approved")
        DECLINED = "declined", _("declined")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.PENDING)
    application = models.ForeignKey(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.PROTECT, related_name="consents"
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="consents")
    browser = models.CharField(_("browser binding"), max_length=64)
    request = models.JSONField(_("request"))
    details = models.JSONField(_("authorization details"), null=True, blank=True)
    created = models.DateTimeField(_("asked"), auto_now_add=True)
    expires = models.DateTimeField(_("waits until"))
    decided = models.DateTimeField(_("decided"), null=True, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)

    nonce = models.BinaryField(_("approval nonce"), max_length=32, null=True, blank=True)
    approval_expires = models.DateTimeField(_("approval ends"), null=True, blank=True)
    rp_id = models.CharField(_("relying party"), max_length=253, blank=True)
    origin = models.CharField(_("origin"), max_length=261, blank=True)
    passkey = models.ForeignKey(Passkey, on_delete=models.SET_NULL, null=True, blank=True, related_name="consents")
    passkey_credential_id = models.BinaryField(_("passkey's credential id"), null=True, blank=True)
    passkey_public_key = models.BinaryField(_("passkey's public key"), null=True, blank=True)
    authenticator_data = models.BinaryField(_("authenticator data"), null=True, blank=True)
    client_data_json = models.BinaryField(_("client data"), null=True, blank=True)
    signature = models.BinaryField(_("signature"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint("nonce", name="authz_consent_nonce", condition=models.Q(nonce__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_state_display()}"


class BackchannelRequest(models.Model):
    """An approval that was asked for out of band (OpenID CIBA, poll mode). Known by the checksum of ``auth_req_id``.

    ``interval`` is how many seconds the client has to wait between two questions.
    """

    consent = models.OneToOneField(Consent, on_delete=models.CASCADE, related_name="backchannel")
    checksum = models.CharField(max_length=64, unique=True)
    on_behalf_of = models.ForeignKey(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    binding_message = models.CharField(max_length=200, blank=True)
    interval = models.PositiveIntegerField()
    polled = models.DateTimeField(null=True)
    redeemed = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Asked for {self.on_behalf_of}"


class PushedRequest(models.Model):
    """A pushed authorization request (RFC 9126): parameters wait here, one use, for the browser to arrive."""

    face = models.CharField(max_length=8, choices=Face.choices, default=Face.OAUTH)
    checksum = models.CharField(max_length=64, unique=True)
    application = models.ForeignKey(settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.CASCADE)
    parameters = models.JSONField()
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(db_index=True)
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Pushed by {self.application}"
