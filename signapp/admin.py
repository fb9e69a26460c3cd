"""What an operator sees of documents and envelopes: whose, how large, how far. Nothing can be opened or changed here,
and names and words are their owners'."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from signapp.models import Document, Envelope, Event, Recipient

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
    _Inline = admin.TabularInline[Any, Any]
else:
    _Admin = admin.ModelAdmin
    _Inline = admin.TabularInline


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


class _ReadInline(_Inline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecipientInline(_ReadInline):
    model = Recipient
    fields = ("email", "role", "order", "state", "subject", "asked_at", "reminded_at", "acted_at")


class EventInline(_ReadInline):
    """The trail, as it was written."""

    model = Event
    fields = ("at", "kind", "actor")


@admin.register(Envelope)
class EnvelopeAdmin(_Admin):
    """A list and a page to read."""

    actions = None
    list_display = ("id", "state", "sender_email", "created", "sent_at", "expires_at", "ended_at")
    list_filter = ("state", "created")
    search_fields = ("id", "sender_email", "subject", "recipients__email")
    date_hierarchy = "created"
    fields = (
        "id",
        "state",
        "issuer",
        "subject",
        "sender_email",
        "due_on",
        "created",
        "sent_at",
        "expires_at",
        "ended_at",
    )
    inlines = (RecipientInline, EventInline)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
