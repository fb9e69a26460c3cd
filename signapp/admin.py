"""What an operator sees of documents and envelopes: whose, how large, how far. None can be opened or changed here, and
names and words are their owners'. What an operator does set is how many there may be, and how long they are kept."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from signapp.models import Document, Envelope, Event, Limits, Recipient, Remains
from signapp.models.limits import ONLY, range_of
from signapp.services.limits import NAMES, default_of

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


@admin.register(Remains)
class RemainsAdmin(_Admin):
    """What remains of deleted envelopes, to read."""

    actions = None
    list_display = ("id", "why", "state", "sent_at", "ended_at", "deleted_at")
    list_filter = ("why", "state", "deleted_at")
    search_fields = ("id", "subject", "documents")
    date_hierarchy = "deleted_at"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Limits)
class LimitsAdmin(_Admin):
    """One row: its list leads on to it. What was changed, from what to what, stands in its history."""

    fieldsets = (
        (
            None,
            {
                "fields": (),
                "description": gettext_lazy(
                    "A number counts from when it is saved. What is left empty is as the installation's settings say."
                ),
            },
        ),
        (
            gettext_lazy("How many, how much"),
            {"fields": ("library_documents", "envelope_documents", "envelope_recipients", "export_megabytes")},
        ),
        (
            gettext_lazy("How long signers have"),
            {"fields": ("envelope_expiry_days", "invitation_days", "reminder_days")},
        ),
        (
            gettext_lazy("How long it is kept"),
            {"fields": ("bin_days", "keep_days")},
        ),
        (None, {"fields": ("updated",)}),
    )
    readonly_fields = ("updated",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        Limits.objects.get_or_create(pk=ONLY)
        return HttpResponseRedirect(reverse("admin:signapp_limits_change", args=[ONLY]))

    def formfield_for_dbfield(self, db_field: Any, request: Any, **options: Any) -> Any:
        """Each number says what it may be and what holds without it, and so does its refusal."""
        if db_field.name not in NAMES:
            return super().formfield_for_dbfield(db_field, request, **options)
        least, most = range_of(db_field)
        field: Any = super().formfield_for_dbfield(db_field, request, min_value=least, max_value=most, **options)
        words = {
            "least": number_format(least, force_grouping=True),
            "most": number_format(most, force_grouping=True),
            "default": number_format(default_of(db_field.name), force_grouping=True),
        }
        refusal = _("Enter a whole number from %(least)s to %(most)s, or leave it empty.") % words
        field.error_messages["invalid"] = refusal
        for validator in field.validators:
            validator.message = refusal
        holds = _("%(least)s to %(most)s. Empty: %(default)s, as the installation's settings say.") % words
        field.help_text = f"{field.help_text} {holds}".strip()
        return field

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """There is one of it, so it is said once what it is; saving comes back to this page, so one button does."""
        one = {"title": str(context["original"]), "subtitle": None, "show_save_and_continue": False}
        return super().render_change_form(request, context | one, *args, **options)

    def response_change(self, request: HttpRequest, obj: Limits) -> HttpResponse:
        self.message_user(request, _("Saved. These numbers count from now on."))
        return HttpResponseRedirect(request.path)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """From what to what: the row itself remembers nothing."""
        changed = [
            f"{form.fields[name].label}: {_say(form.initial.get(name))} → {_say(form.cleaned_data[name])}"
            for name in form.changed_data
        ]
        return "; ".join(changed) or _("nothing changed")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _say(number: int | None) -> str:
    return _("as the settings say") if number is None else str(number)
