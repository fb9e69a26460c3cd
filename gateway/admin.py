"""What an operator sees of jobs: states and errors. Nothing here can sign, and no document can be opened."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from gateway.models import CredentialRequest, Job

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin


class ReadOnlyAdmin(_Admin):
    """A list and a page to read."""

    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "subject", "document_pages", "error_code", "attempts", "created_at", "expires_at")
    list_filter = ("state", "error_code", "created_at")
    search_fields = ("id", "subject", "document_sha256")
    date_hierarchy = "created_at"
    fields = (
        *("id", "state", "issuer", "subject", "document_name", "document_pages", "document_size", "document_sha256"),
        *("credential_id", "sign_algo", "hash_algorithm_oid", "digest", "attempts", "lease_until", "next_attempt_at"),
        *("token_expires_at", "error_code", "error_message", "created_at", "updated_at", "expires_at"),
    )


@admin.register(CredentialRequest)
class CredentialRequestAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "subject", "certificate_policy", "key_algorithm", "error_code", "created_at")
    list_filter = ("state", "certificate_policy", "key_algorithm")
    search_fields = ("id", "subject")
    fields = (
        *("id", "state", "issuer", "subject", "certificate_policy", "key_algorithm", "credential", "error_code"),
        *("created_at", "expires_at"),
    )
