"""What an operator sees of jobs, states and errors, and whom an operator trusts. Nothing here can sign, and no
document can be opened."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from gateway.errors import TrustError
from gateway.forms import TrustAnchorForm, TrustedListForm, WebhookEndpointForm
from gateway.models import (
    Archive,
    Batch,
    ClientPolicy,
    CredentialRequest,
    Job,
    PasskeyChange,
    TrustAnchor,
    TrustedList,
    WebhookDelivery,
    WebhookEndpoint,
)
from gateway.services import trust, webhooks

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin


class ReadOnlyAdmin(_Admin):
    """A list and a page to read."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "state",
        "subject",
        "batch",
        "document_pages",
        "error_code",
        "waits_for",
        "attempts",
        "created_at",
        "expires_at",
    )
    list_filter = ("state", "error_code", "waits_for", "created_at")
    search_fields = ("id", "subject", "document_sha256")
    date_hierarchy = "created_at"
    fields = (
        *("id", "state", "issuer", "subject", "document_name", "document_pages", "document_size", "document_sha256"),
        *("credential_id", "sign_algo", "hash_algorithm_oid", "digest", "attempts", "lease_until", "next_attempt_at"),
        *(
            "level",
            "best_effort",
            "achieved_level",
            "shortfall",
            "lasts_until",
            "token_expires_at",
            "waits_for",
            "error_code",
            "error_message",
            "created_at",
            "updated_at",
            "expires_at",
        ),
    )


@admin.register(Archive)
class ArchiveAdmin(ReadOnlyAdmin):
    list_display = ("id", "subject", "signatures", "lasts_until", "next_renewal_at", "renewals", "error_code")
    list_filter = ("error_code", "lasts_until")
    search_fields = ("id", "subject")
    fields = (
        *("id", "issuer", "subject", "name", "signatures", "lasts_until", "next_renewal_at", "renewals", "error_code"),
        *("created_at", "updated_at"),
    )


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "policy", "subject", "error_code", "attempts", "created_at", "expires_at")
    list_filter = ("state", "policy", "error_code", "created_at")
    search_fields = ("id", "subject")
    date_hierarchy = "created_at"
    fields = (
        *("id", "state", "policy", "issuer", "subject", "credential_id", "sign_algo", "hash_algorithm_oid", "level"),
        *("attempts", "next_attempt_at", "token_expires_at", "error_code", "error_message", "created_at", "updated_at"),
        "expires_at",
    )


@admin.register(ClientPolicy)
class ClientPolicyAdmin(_Admin):
    """What clients may do with tokens of their own. Nothing is removed, so that the log keeps its subject: a policy is
    made inactive."""

    list_display = ("client_id", "note", "active", "may_seal", "seal_owner", "created_at")
    list_filter = ("active", "may_seal")
    search_fields = ("client_id", "note", "seal_owner")
    fields = ("client_id", "note", "active", "may_seal", "seal_owner")
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("client_id",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(_Admin):
    """Addresses that clients are told at. The secret is shown once, when it is made; nothing is removed, so that the
    log keeps its subject."""

    form = WebhookEndpointForm
    list_display = ("url", "client", "active", "quiet_until", "created_at")
    list_filter = ("active", "client")
    search_fields = ("url", "client__client_id")
    actions = ("renew_secret",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("client", "url") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        added, secret = webhooks.add_endpoint(client=obj.client, url=obj.url, events=obj.events)
        obj.__dict__.update(added.__dict__)
        self._tell(request, added, secret)

    @admin.action(description=_("Make a new secret"), permissions=["change"])
    def renew_secret(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in chosen:
            self._tell(request, endpoint, webhooks.renew_secret(endpoint=endpoint))
            self.log_change(request, endpoint, "New secret.")

    def _tell(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> None:
        told = _("The secret of %(url)s, shown this once: %(secret)s") % {"url": endpoint.url, "secret": secret}
        messages.warning(request, told)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """What was sent, and what came of it."""

    list_display = ("id", "event", "endpoint", "state", "attempts", "next_attempt_at", "outcome", "created_at")
    list_filter = ("state", "event", "endpoint")
    search_fields = ("id", "body")
    date_hierarchy = "created_at"
    fields = (
        *("id", "event", "endpoint", "body", "state", "attempts", "next_attempt_at", "outcome"),
        *("created_at", "updated_at"),
    )
    actions = ("send_again",)

    @admin.action(description=_("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[WebhookDelivery]) -> None:
        for delivery in chosen:
            webhooks.send_again(delivery=delivery)
            self.log_change(request, delivery, "Sent again.")
        messages.success(request, ngettext("%d is sent again.", "%d are sent again.", len(chosen)) % len(chosen))

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Of whoever may change addresses: nothing else of a delivery can be changed."""
        return bool(request.user.has_perm("gateway.change_webhookendpoint"))


@admin.register(CredentialRequest)
class CredentialRequestAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "subject", "certificate_policy", "key_algorithm", "error_code", "created_at")
    list_filter = ("state", "certificate_policy", "key_algorithm")
    search_fields = ("id", "subject")
    fields = (
        *("id", "state", "issuer", "subject", "certificate_policy", "key_algorithm", "credential", "error_code"),
        *("created_at", "expires_at"),
    )


@admin.register(PasskeyChange)
class PasskeyChangeAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "subject", "action", "credential_id", "error_code", "created_at")
    list_filter = ("state", "action")
    search_fields = ("id", "subject", "credential_id")
    fields = (
        *("id", "state", "issuer", "subject", "action", "credential_id", "credential_label", "passkeys"),
        *("error_code", "created_at", "expires_at"),
    )


def _operator(request: HttpRequest) -> str:
    return str(request.user.get_username())


@admin.register(TrustAnchor)
class TrustAnchorAdmin(_Admin):
    """Whom signatures may lead to. Nothing is removed: an anchor that is disabled says who did it, and when."""

    list_display = ("name", "purpose", "enabled", "not_after", "trusted_list", "added_by", "note")
    list_filter = ("enabled", "purpose", "trusted_list")
    search_fields = ("name", "fingerprint", "note")
    actions = ("enable", "disable")
    shown = (
        *("name", "sha256", "purpose", "not_before", "not_after", "trusted_list"),
        *("added_by", "added_at", "changed_by", "changed_at"),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({} if obj else {"form": TrustAnchorForm}), **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.shown, "enabled", "note") if obj else ("pem", "note")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: TrustAnchor, form: Any, change: bool) -> None:
        operator = _operator(request)
        if change:
            trust.change_anchor(anchor=obj, enabled=obj.enabled, note=obj.note, operator=operator)
        else:
            added = trust.add_anchor(pem=form.cleaned_data["pem"], note=obj.note, operator=operator)
            obj.__dict__.update(added.__dict__)

    @admin.display(description=_("SHA-256 fingerprint"))
    def sha256(self, anchor: TrustAnchor) -> str:
        """In pairs, as other programs show it."""
        return ":".join(anchor.fingerprint[place : place + 2] for place in range(0, 64, 2)).upper()

    @admin.action(description=_("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, chosen: QuerySet[TrustAnchor]) -> None:
        self._set(request, chosen, enabled=True)

    @admin.action(description=_("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, chosen: QuerySet[TrustAnchor]) -> None:
        self._set(request, chosen, enabled=False)

    def _set(self, request: HttpRequest, chosen: QuerySet[TrustAnchor], *, enabled: bool) -> None:
        anchors = list(chosen.exclude(enabled=enabled))
        for anchor in anchors:
            trust.change_anchor(anchor=anchor, enabled=enabled, note=anchor.note, operator=_operator(request))
            self.log_change(request, anchor, "Enabled." if enabled else "Disabled.")
        messages.success(request, ngettext("%d anchor changed.", "%d anchors changed.", len(anchors)) % len(anchors))


@admin.register(TrustedList)
class TrustedListAdmin(_Admin):
    """Lists that anchors came from. Adding one imports it, in the place of the territory's last one."""

    list_display = ("territory", "operator", "sequence_number", "issued", "next_update", "imported_at", "imported_by")
    fields = (
        *("territory", "operator", "sequence_number", "issued", "next_update", "source", "sha256", "signer_sha256"),
        *("imported_at", "imported_by"),
    )
    actions = None

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({} if obj else {"form": TrustedListForm}), **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("file", "url")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Without Django's transaction around it, since fetching and reading a list takes a while."""
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]  # Django's, not in its stubs
        except TrustError as error:
            messages.error(request, f"Nothing was imported. {error}")
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: TrustedList, form: Any, change: bool) -> None:
        imported = trust.import_trusted_list(
            xml=form.cleaned_data["xml"],
            signers=trust.configured_signers(),
            source=form.cleaned_data["source"],
            operator=_operator(request),
        )
        obj.__dict__.update(imported.__dict__)
