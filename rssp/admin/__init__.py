"""What an operator sees and may do: close and open credentials, revoke certificates. Nothing here can sign.

Every act is asked for once more on a page that names what it meets, and wants a reason.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from rssp.admin.base import ReadOnlyAdmin, TabularInline, operator_of
from rssp.admin.certificates import CertificateAdmin
from rssp.admin.explicit import AuthenticationObjectInline, ExplicitActions
from rssp.admin.lifecycle import EndedFilter, ExpiryFilter, LifecycleAdmin
from rssp.admin.requests import CertificateRequestAdmin
from rssp.admin.seals import SealGrantAdmin
from rssp.admin.timestamps import TimestampAdmin
from rssp.models import (
    ActivatedDigest,
    Activation,
    AuditEvent,
    Credential,
    KeyEncryptionKey,
    PasskeyBinding,
    SigningKey,
)
from rssp.services import granting, operating

__all__ = ["CertificateAdmin", "CertificateRequestAdmin", "SealGrantAdmin", "TimestampAdmin"]


class PasskeyBindingInline(TabularInline):
    model = PasskeyBinding
    fields = readonly_fields = ("passkey", "bound", "unbound")
    extra = 0
    can_delete = False

    @admin.display(description=_("passkey"))
    def passkey(self, binding: PasskeyBinding) -> str:
        return bytes(binding.passkey_id).hex()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Credential)
class CredentialAdmin(LifecycleAdmin, ExplicitActions):
    list_display = [
        "credential_id",
        "description",
        "auth_mode",
        "status",
        "is_seal",
        "subject",
        "key__key_algorithm",
        "certificate",
        "created",
    ]
    list_filter = [
        *(ExpiryFilter, EndedFilter, "status", "auth_mode", "is_seal"),
        *("key__key_algorithm", "key__storage", "certificate_policy", "created"),
    ]
    search_fields = ["credential_id", "subject", "description"]
    date_hierarchy = "created"
    inlines = [AuthenticationObjectInline, PasskeyBindingInline]
    actions = [
        *("disable", "enable", "make_explicit", "set_pin", "unlock", "renew", "rekey", "end", "withdraw"),
        *("mark_as_seal", "unmark_as_seal"),
    ]

    @admin.action(description=_("Disable: no approval activates it any more"), permissions=["operate"])
    def disable(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        question = gettext(
            "These credentials will sign nothing until they are enabled again, not even what is approved now:"
        )
        return self._set(request, chosen, Credential.Status.DISABLED, "disable", question)

    @admin.action(description=_("Enable again"), permissions=["operate"])
    def enable(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        question = gettext("These credentials will sign again what their owners approve:")
        return self._set(request, chosen, Credential.Status.ENABLED, "enable", question)

    @admin.action(description=_("Mark as seals: granted clients use them without a person"), permissions=["operate"])
    def mark_as_seal(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        question = gettext(
            "These credentials will be open to every client with a grant for their owner, without a person:"
        )
        return self._seal(request, chosen, "mark_as_seal", question, is_seal=True)

    @admin.action(description=_("No longer seals"), permissions=["operate"])
    def unmark_as_seal(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        question = gettext("These credentials will be their owners' alone again:")
        return self._seal(request, chosen, "unmark_as_seal", question, is_seal=False)

    def _seal(
        self, request: HttpRequest, chosen: QuerySet[Credential], action: str, question: str, *, is_seal: bool
    ) -> TemplateResponse | None:
        reason = self.read_reason(request)
        if not reason:
            sentences = [(row, f"{row.credential_id}: {row.description} ({row.subject})") for row in chosen]
            return self.ask(request, action=action, question=question, sentences=sentences)
        operator = operator_of(request)
        done = sum(
            granting.set_seal(credential=row, is_seal=is_seal, reason=reason, operator=operator) for row in chosen
        )
        messages.success(request, ngettext("%d credential changed.", "%d credentials changed.", done) % done)
        return None

    def _set(
        self, request: HttpRequest, chosen: QuerySet[Credential], status: str, action: str, question: str
    ) -> TemplateResponse | None:
        reason = self.read_reason(request)
        if not reason:
            sentences = [(row, f"{row.credential_id}: {row.description} ({row.subject})") for row in chosen]
            return self.ask(request, action=action, question=question, sentences=sentences)
        operator = operator_of(request)
        done = sum(
            operating.set_status(credential=row, status=status, reason=reason, operator=operator) for row in chosen
        )
        messages.success(request, ngettext("%d credential changed.", "%d credentials changed.", done) % done)
        return None


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """Where keys are kept; nothing that would find or open one."""

    list_display = ["pk", "key_algorithm", "storage", "state", "one_time", "created", "assigned", "destroyed"]
    list_filter = ["state", "storage", "key_algorithm", "one_time", "created"]
    fields = [*("key_algorithm", "storage", "kek", "state", "one_time", "created", "assigned", "destroyed")]


@admin.register(KeyEncryptionKey)
class KeyEncryptionKeyAdmin(ReadOnlyAdmin):
    list_display = ["pk", "state", "created", "retired", "destroyed"]
    exclude = ["key_id"]
    list_filter = ["state"]


@admin.register(Activation)
class ActivationAdmin(ReadOnlyAdmin):
    """The evidence of each approval that was used."""

    list_display = ["nonce", "kind", "factors", "credential", "subject", "client_id", "created", "expires"]
    list_filter = ["kind", "factors", "client_id", "created"]
    search_fields = ["nonce", "subject", "credential__credential_id"]
    date_hierarchy = "created"
    fields = [
        *("nonce", "kind", "issuer", "client_id", "subject", "factors", "credential", "num_signatures"),
        *("created", "expires", "passkey"),
        *("authenticator_data_hex", "client_data", "signature_hex"),
    ]

    @admin.display(description=_("passkey"))
    def passkey(self, activation: Activation) -> str:
        return bytes(activation.passkey_id or b"").hex()

    @admin.display(description=_("authenticator data"))
    def authenticator_data_hex(self, activation: Activation) -> str:
        return bytes(activation.authenticator_data or b"").hex()

    @admin.display(description=_("client data"))
    def client_data(self, activation: Activation) -> str:
        return bytes(activation.client_data_json or b"").decode(errors="replace")

    @admin.display(description=_("signature"))
    def signature_hex(self, activation: Activation) -> str:
        return bytes(activation.signature or b"").hex()


@admin.register(ActivatedDigest)
class ActivatedDigestAdmin(ReadOnlyAdmin):
    list_display = ["digest", "state", "activation", "position", "call", "intended", "finished"]
    list_filter = ["state", "hash_type", "hash_algorithm_oid"]
    search_fields = ["digest", "activation__nonce", "call", "signature_sha256"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["sequence", "happened", "action", "result", "subject", "credential_id", "digest", "reason"]
    list_filter = ["action", "result", "client_id", "happened"]
    search_fields = ["subject", "credential_id", "digest", "activation", "request_id"]
    date_hierarchy = "happened"
    ordering = ["-sequence"]
