"""What an operator sees of documents: whose, how large, how far. No document can be opened or changed here, and their
names are their owners'."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from signapp.models import Document

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin


@admin.register(Document)
class DocumentAdmin(_Admin):
    """A list and a page to read."""

    actions = None
    list_display = ("id", "state", "subject", "pages", "size", "error_code", "created", "signed_at")
    list_filter = ("state", "error_code", "created")
    search_fields = ("id", "subject", "sha256")
    date_hierarchy = "created"
    fields = (
        *("id", "state", "issuer", "subject", "pages", "size", "sha256", "signatures", "error_code", "error_message"),
        *("credential_id", "fingerprint", "job_id", "created", "updated", "signed_at"),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
